/** ModelSpec -> graph of primitive operations. What a layer computes follows from the weights it has. */
import type { LayerSpec, ModelSpec, Weight } from '../model/spec.js';
import type { Graph, Norm, PrimitiveOp, Value } from './ops.js';

export function buildGraph(spec: ModelSpec): Graph {
  const builder = new Builder(spec);
  let hidden = builder.embed('token_embd', spec.tokenEmbedding);
  for (const [layer, weights] of spec.layers.entries()) {
    const attention = buildAttention(builder, spec, layer, weights, hidden);
    hidden = buildFeedForward(builder, layer, weights, attention);
  }
  const logits = builder.linear('logits', builder.norm('output_norm', hidden, spec.outputNorm), spec.output);
  builder.ops.push({ kind: 'select', logits });
  return { ops: builder.ops, logits };
}

/** Returns hidden + attention(norm(hidden)). */
function buildAttention(builder: Builder, spec: ModelSpec, layer: number, w: LayerSpec, hidden: Value): Value {
  const { headCount, headCountKv, headSize } = spec;
  const name = (part: string) => `blk.${layer}.${part}`;
  const input = builder.norm(name('attn_norm'), hidden, w.attnNorm);
  const q = builder.linear(name('attn_q'), input, w.attnQ, w.attnQBias);
  const k = builder.linear(name('attn_k'), input, w.attnK, w.attnKBias);
  const value = builder.linear(name('attn_v'), input, w.attnV, w.attnVBias);
  const query = builder.rope(name('attn_q_rope'), builder.headNorm(name('attn_q_norm'), q, w.attnQNorm));
  const key = builder.rope(name('attn_k_rope'), builder.headNorm(name('attn_k_norm'), k, w.attnKNorm));
  builder.ops.push({ kind: 'kv_append', layer, key, value });
  const output = builder.value(name('attn_kqv'), query.size);
  builder.ops.push({ kind: 'attention', layer, query, headCount, headCountKv, headSize, output });
  return builder.add(
    name('ffn_inp'),
    builder.linear(name('attn_output'), output, w.attnOutput, w.attnOutputBias),
    hidden,
  );
}

/** Returns hidden + down(silu(gate(norm(hidden))) * up(norm(hidden))). */
function buildFeedForward(builder: Builder, layer: number, w: LayerSpec, hidden: Value): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const input = builder.norm(name('ffn_norm'), hidden, w.ffnNorm);
  const gate = builder.linear(name('ffn_gate'), input, w.ffnGate, w.ffnGateBias);
  const up = builder.linear(name('ffn_up'), input, w.ffnUp, w.ffnUpBias);
  const output = builder.value(name('ffn_swiglu'), gate.size);
  builder.ops.push({ kind: 'silu_mul', gate, up, output });
  return builder.add(name('l_out'), builder.linear(name('ffn_down'), output, w.ffnDown, w.ffnDownBias), hidden);
}

/** Appends operations; each method returns the value that its operation writes. */
class Builder {
  readonly ops: PrimitiveOp[] = [];
  #values = 0;

  constructor(private readonly spec: ModelSpec) {}

  value(name: string, size: number): Value {
    return { id: this.#values++, name, size };
  }

  embed(name: string, weight: Weight): Value {
    const output = this.value(name, weight.cols);
    this.ops.push({ kind: 'embed', weight, output });
    return output;
  }

  norm(name: string, input: Value, weight: Weight): Value {
    const output = this.value(name, input.size);
    this.ops.push({ kind: 'rms_norm', input, norm: this.#normOf(weight), output });
    return output;
  }

  /** The norm of each head where the model has a weight for it, else the input as it is. */
  headNorm(name: string, input: Value, weight: Weight | undefined): Value {
    if (!weight) return input;
    const output = this.value(name, input.size);
    this.ops.push({ kind: 'rms_norm', input, norm: this.#normOf(weight), headSize: this.spec.headSize, output });
    return output;
  }

  linear(name: string, input: Value, weight: Weight, bias?: Weight): Value {
    const output = this.value(name, weight.rows);
    this.ops.push({ kind: 'linear', input, weight, ...(bias && { bias }), output });
    return output;
  }

  rope(name: string, input: Value): Value {
    const output = this.value(name, input.size);
    this.ops.push({ kind: 'rope', input, headSize: this.spec.headSize, rope: this.spec.rope, output });
    return output;
  }

  add(name: string, a: Value, b: Value): Value {
    const output = this.value(name, a.size);
    this.ops.push({ kind: 'add', a, b, output });
    return output;
  }

  #normOf(weight: Weight): Norm {
    return { weight, epsilon: this.spec.rmsEpsilon };
  }
}
