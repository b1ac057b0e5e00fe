/** ModelSpec -> graph of primitive operations. What a layer computes follows from the weights it has. */

import type { Cache, Norm, PrimitiveOp, Rows, Value } from '../ir/ops.js';
import { ACTIVATIONS, isAlone, isGated } from '../model/activations.js';
import { ropeAt } from '../model/rope.js';
import type { ExpertsSpec, LayerSpec, ModelSpec, RopeSpec, Weight } from '../model/spec.js';
import type { Graph } from './graph.js';

/** `context`: positions planned for; rope factors may depend on it. */
export function buildGraph(spec: ModelSpec, context = spec.contextLength): Graph {
  const builder = new Builder(spec, context);
  let hidden = builder.scale(
    'token_embd_scaled',
    builder.embed('token_embd', spec.tokenEmbedding),
    spec.embeddingScale,
  );
  for (const [layer, weights] of spec.layers.entries()) {
    const attention = buildAttention(builder, spec, layer, weights, hidden);
    hidden = buildFeedForward(builder, spec, layer, weights, spec.parallel ? hidden : attention, attention);
  }
  builder.rows = 'output';
  const normed = builder.norm('output_norm', hidden, spec.outputNorm, spec.outputNormBias);
  const plain = !spec.logitScale && !spec.logitSoftCap;
  const products = builder.linear(plain ? 'logits' : 'output', normed, spec.output, spec.outputBias);
  const scaled = builder.scale(spec.logitSoftCap ? 'output_scaled' : 'logits', products, spec.logitScale);
  const logits = builder.softCap('logits', scaled, spec.logitSoftCap);
  builder.ops.push({ kind: 'select', logits });
  return { ops: builder.ops, logits };
}

/** Returns hidden + norm(attention(norm(hidden))), each norm where the layer has one. */
function buildAttention(builder: Builder, spec: ModelSpec, layer: number, w: LayerSpec, hidden: Value): Value {
  const { headCount, headCountKv, headSize, attentionScale: scale, attentionSoftCap: softCap } = spec;
  const name = (part: string) => `blk.${layer}.${part}`;
  const input = builder.norm(name('attn_norm'), hidden, w.attnNorm, w.attnNormBias);
  const q = builder.linear(name('attn_q'), input, w.attnQ, w.attnQBias);
  const k = builder.linear(name('attn_k'), input, w.attnK, w.attnKBias);
  const value = builder.linear(name('attn_v'), input, w.attnV, w.attnVBias);
  const query = placeHeads(builder, spec, name, 'attn_q', q, w.attnQNorm, w.rope);
  const key = placeHeads(builder, spec, name, 'attn_k', k, w.attnKNorm, w.rope);
  const cache: Cache = { id: layer, layer, kind: 'kv', heads: headCountKv, headSize };
  builder.ops.push({ kind: 'kv_append', cache, key, value });
  const output = builder.value(name('attn_kqv'), query.cols);
  const scoring = {
    scale,
    ...(softCap && { softCap }),
    ...(w.window && { window: w.window }),
    ...(w.attnSinks && { sinks: w.attnSinks }),
  };
  builder.ops.push({ kind: 'attention', cache, query, headCount, headCountKv, headSize, ...scoring, output });
  const gated = builder.headGate(
    name('attn_gated'),
    output,
    w.attnGate && builder.linear(name('attn_gate'), input, w.attnGate),
  );
  const attention = builder.linear(name('attn_output'), gated, w.attnOutput, w.attnOutputBias);
  return builder.add(
    name('ffn_inp'),
    builder.scale(
      name('attn_scaled'),
      builder.norm(name('attn_post_norm'), attention, w.attnPostNorm),
      spec.residualScale,
    ),
    hidden,
  );
}

/** Norm and rope of heads, or rope and norm. */
function placeHeads(
  builder: Builder,
  spec: ModelSpec,
  name: NameOf,
  part: string,
  heads: Value,
  norm: Weight | undefined,
  rope: RopeSpec | undefined,
): Value {
  const normed = (from: Value) => builder.headNorm(name(`${part}_norm`), from, norm);
  const rotated = (from: Value) => builder.rope(name(`${part}_rope`), from, rope);
  return spec.normsAfterRope ? normed(rotated(heads)) : rotated(normed(heads));
}

/** Returns hidden + norm(feed-forward(norm(from))), the second norm where the layer has one. */
function buildFeedForward(
  builder: Builder,
  spec: ModelSpec,
  layer: number,
  w: LayerSpec,
  from: Value,
  hidden: Value,
): Value {
  const name = (part: string) => `blk.${layer}.${part}`;
  const input = builder.norm(name('ffn_norm'), from, w.ffnNorm, w.ffnNormBias);
  const output = w.ffnRouter ? buildExperts(builder, spec, name, w, input) : buildDense(builder, name, w, input);
  return builder.add(
    name('l_out'),
    builder.scale(name('ffn_scaled'), builder.norm(name('ffn_post_norm'), output, w.ffnPostNorm), spec.residualScale),
    hidden,
  );
}

type NameOf = (part: string) => string;

/** down(act(gate(input), up(input))); without a gate, down(act(up(input))). */
function buildDense(builder: Builder, name: NameOf, w: LayerSpec, input: Value): Value {
  const gate = w.ffnGate && builder.linear(name('ffn_gate'), input, w.ffnGate, w.ffnGateBias);
  const up = builder.linear(name('ffn_up'), input, w.ffnUp!, w.ffnUpBias);
  return builder.linear(name('ffn_down'), builder.activation(name, 'ffn', gate, up), w.ffnDown!, w.ffnDownBias);
}

/** The weighted sum of the chosen experts' down(act(gate(input), up(input))), as in buildDense, and the shared expert's. */
function buildExperts(builder: Builder, spec: ModelSpec, name: NameOf, w: LayerSpec, input: Value): Value {
  const experts = spec.experts!;
  const logits = builder.linear(name('ffn_moe_logits'), input, w.ffnRouter!, w.ffnRouterBias);
  const routing = builder.route(name('ffn_moe_topk'), logits, experts, w.ffnRouterSelection);
  const linear = (part: string, from: Value, weight: Weight | undefined, bias: Weight | undefined) =>
    builder.expertLinear(name(part), from, routing, experts, weight!, bias);
  const gate = w.ffnGateExperts && linear('ffn_moe_gate', input, w.ffnGateExperts, w.ffnGateExpertsBias);
  const up = linear('ffn_moe_up', input, w.ffnUpExperts, w.ffnUpExpertsBias);
  const output = builder.activation(name, 'ffn_moe', gate, up);
  const down = linear('ffn_moe_down', output, w.ffnDownExperts, w.ffnDownExpertsBias);
  const sum = builder.expertSum(name('ffn_moe_out'), down, routing, experts);
  if (!w.ffnSharedDown) return sum;
  const sharedGate = builder.linear(name('ffn_shexp_gate'), input, w.ffnSharedGate!);
  const sharedUp = builder.linear(name('ffn_shexp_up'), input, w.ffnSharedUp!);
  const shared = builder.linear(
    name('ffn_shexp'),
    builder.activation(name, 'ffn_shexp', sharedGate, sharedUp),
    w.ffnSharedDown,
  );
  const gated = w.ffnSharedRouter
    ? builder.sigmoidScale(
        name('ffn_shexp_gated'),
        builder.linear(name('shared_expert_gate'), input, w.ffnSharedRouter),
        shared,
      )
    : shared;
  return builder.add(name('ffn_out'), sum, gated);
}

/** Appends operations; each method returns the value that its operation writes. */
class Builder {
  readonly ops: PrimitiveOp[] = [];
  /** Of the values from here on. */
  rows: Rows = 'token';
  readonly #ropes = new Map<RopeSpec, RopeSpec>();
  #values = 0;

  constructor(
    private readonly spec: ModelSpec,
    private readonly context: number,
  ) {}

  value(name: string, cols: number): Value {
    return { id: this.#values++, name, rows: this.rows, cols };
  }

  /** No gate: the input. */
  headGate(name: string, input: Value, gate: Value | undefined): Value {
    if (!gate) return input;
    const output = this.value(name, input.cols);
    this.ops.push({ kind: 'head_gate', gate, input, headSize: this.spec.headSize, output });
    return output;
  }

  embed(name: string, weight: Weight): Value {
    const output = this.value(name, weight.cols);
    this.ops.push({ kind: 'embed', weight, output });
    return output;
  }

  /** Where the model has no weight for it, the input as it is; so for the other optional operations. */
  norm(name: string, input: Value, weight: Weight | undefined, bias?: Weight): Value {
    if (!weight) return input;
    const output = this.value(name, input.cols);
    this.ops.push({ kind: 'norm', input, norm: this.#normOf(weight, bias), output });
    return output;
  }

  /** Of each head, or of all together where the weight is as wide as they are. */
  headNorm(name: string, input: Value, weight: Weight | undefined): Value {
    if (!weight) return input;
    const output = this.value(name, input.cols);
    const { headSize } = this.spec;
    const each = weight.cols === headSize && { headSize };
    this.ops.push({ kind: 'norm', input, norm: this.#normOf(weight), ...each, output });
    return output;
  }

  linear(name: string, input: Value, weight: Weight, bias?: Weight): Value {
    const output = this.value(name, weight.rows);
    this.ops.push({ kind: 'linear', input, weight, ...(bias && { bias }), output });
    return output;
  }

  rope(name: string, input: Value, rope: RopeSpec | undefined): Value {
    if (!rope) return input;
    const at = this.#ropes.get(rope) ?? ropeAt(rope, this.context);
    this.#ropes.set(rope, at);
    const output = this.value(name, input.cols);
    this.ops.push({ kind: 'rope', input, headSize: this.spec.headSize, rope: at, output });
    return output;
  }

  /** part: "ffn" names the output ffn_swiglu. */
  activation(name: NameOf, part: string, gate: Value | undefined, up: Value): Value {
    const { activation } = this.spec;
    const gatedName = gate && isGated(activation) ? ACTIVATIONS[activation].gated : 'act';
    const output = this.value(name(`${part}_${gatedName}`), up.cols);
    if (gate && isGated(activation)) this.ops.push({ kind: `${activation}_mul`, gate, up, output });
    else if (!gate && isAlone(activation)) this.ops.push({ kind: activation, input: up, output });
    else throw new Error(`${activation} ${gate ? 'with' : 'without'} a gate has no operation`);
    return output;
  }

  route(name: string, logits: Value, experts: ExpertsSpec, selection: Weight | undefined): Value {
    const output = this.value(name, 2 * experts.used);
    this.ops.push({ kind: 'route', logits, ...experts, ...(selection && { selection }), output });
    return output;
  }

  expertLinear(
    name: string,
    input: Value,
    routing: Value,
    { count, used }: ExpertsSpec,
    weight: Weight,
    bias?: Weight,
  ): Value {
    const output = this.value(name, (weight.rows / count) * used);
    this.ops.push({ kind: 'expert_linear', input, routing, count, used, weight, ...(bias && { bias }), output });
    return output;
  }

  expertSum(name: string, input: Value, routing: Value, { used }: ExpertsSpec): Value {
    const output = this.value(name, input.cols / used);
    this.ops.push({ kind: 'expert_sum', input, routing, used, output });
    return output;
  }

  sigmoidScale(name: string, gate: Value, input: Value): Value {
    const output = this.value(name, input.cols);
    this.ops.push({ kind: 'sigmoid_scale', gate, input, output });
    return output;
  }

  add(name: string, a: Value, b: Value): Value {
    const output = this.value(name, a.cols);
    this.ops.push({ kind: 'add', a, b, output });
    return output;
  }

  scale(name: string, input: Value, by: number | undefined): Value {
    if (by === undefined) return input;
    const output = this.value(name, input.cols);
    this.ops.push({ kind: 'scale', input, by, output });
    return output;
  }

  softCap(name: string, input: Value, cap: number | undefined): Value {
    if (cap === undefined) return input;
    const output = this.value(name, input.cols);
    this.ops.push({ kind: 'soft_cap', input, cap, output });
    return output;
  }

  #normOf(weight: Weight, bias?: Weight): Norm {
    const { norm, normEpsilon: epsilon } = this.spec;
    return { weight, ...(bias && { bias }), epsilon, ...(norm === 'layer' && { centred: true }) };
  }
}
