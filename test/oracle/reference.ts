/**
 * The forward pass of a model in float64, one token at a time, with nothing fused and nothing fast: the truth that tests
 * compare with. Weights are dequantised exactly and the KV cache is not rounded.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Activation } from '../../compiler/model/activations.js';
import { ropeAt, ropeFrequencies } from '../../compiler/model/rope.js';
import type { ExpertsSpec, LayerSpec, ModelSpec, RopeSpec, Weight } from '../../compiler/model/spec.js';
import { filePaths } from '../../runtime/files/parts.js';
import type { Piece } from '../../runtime/files/tensor_table.js';
import { storedValues } from './stored.js';

type Vector = Float64Array;

/** Reads tensors of one model file; each is dequantised once. */
class Weights implements Disposable {
  readonly #files: readonly { readonly fd: number; readonly start: number; readonly end: number }[];
  readonly #values = new Map<Weight, Vector>();

  constructor({ path, parts }: ModelSpec['file']) {
    let start = 0;
    this.#files = filePaths(path, parts).map((part, i) => {
      const end = start + parts[i]!.bytes;
      const file = { fd: openSync(part, 'r'), start, end };
      start = end;
      return file;
    });
  }

  /** All elements, row after row. */
  get(weight: Weight): Vector {
    let values = this.#values.get(weight);
    if (values === undefined) {
      values = storedValues(weight, (piece) => this.#read(weight.name, piece));
      this.#values.set(weight, values);
    }
    return values;
  }

  #read(name: string, { offset, bytes }: Piece): Buffer {
    const data = Buffer.alloc(bytes);
    const { fd, start } = this.#files.find(({ end }) => offset < end)!;
    const read = readSync(fd, data, 0, bytes, offset - start);
    if (read !== bytes) throw new Error(`${name}: ${read} of ${bytes} bytes could be read`);
    return data;
  }

  row(weight: Weight, index: number): Vector {
    return this.get(weight).slice(index * weight.cols, (index + 1) * weight.cols);
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#files) closeSync(fd);
  }
}

/** Keys and values of one layer, an entry a position: [headCountKv * headSize] each. */
interface KvCache {
  readonly keys: Vector[];
  readonly values: Vector[];
}

function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function add(a: Vector, b: Vector): Vector {
  return a.map((value, i) => value + b[i]!);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** All terms have the sign of x, so nothing cancels out; past 6 there is nothing but 1 in float64. */
function erf(x: number): number {
  if (!(Math.abs(x) <= 6)) return Math.sign(x);
  let [sum, term] = [0, x];
  for (let n = 1; sum + term !== sum; n++) {
    sum += term;
    term *= (2 * x * x) / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const geluErf = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

const reluSqr = (x: number): number => Math.max(x, 0) ** 2;

/** activation(gate) * up, element by element. */
const GATED: Record<Activation, (gate: number, up: number) => number> = {
  silu: (gate, up) => silu(gate) * up,
  gelu: (gate, up) => gelu(gate) * up,
  gelu_erf: (gate, up) => geluErf(gate) * up,
  relu_sqr: (gate, up) => reluSqr(gate) * up,
  swiglu_oai: (gate, up) => {
    const clamped = Math.min(gate, 7);
    return (clamped / (1 + Math.exp(-1.702 * clamped))) * (Math.max(-7, Math.min(up, 7)) + 1);
  },
};

/** Of a feed-forward without a gate. */
const UNGATED: Record<Activation, (x: number) => number> = {
  silu,
  gelu,
  gelu_erf: geluErf,
  relu_sqr: reluSqr,
  swiglu_oai: () => {
    throw new Error('swiglu_oai is of two');
  },
};

/** No cap: the value as it is. */
function softCap(x: number, cap: number | undefined): number {
  return cap ? cap * Math.tanh(x / cap) : x;
}

function softmax(scores: Vector): Vector {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** What the outputs of the chosen experts are multiplied with. */
function weightsOf(chosen: readonly number[], logits: Vector, probabilities: Vector, experts: ExpertsSpec): Vector {
  const { gating, scale = 1, weightsOver } = experts;
  const own = Float64Array.from(chosen, (e) => probabilities[e]!);
  if (weightsOver === 'all') return own.map((weight) => weight * scale);
  if (!gating) return softmax(Float64Array.from(chosen, (e) => logits[e]!)).map((weight) => weight * scale);
  const sum = Math.max(
    own.reduce((a, b) => a + b, 0),
    2 ** -14,
  );
  return own.map((weight) => (weight / sum) * scale);
}

function rmsNorm(x: Vector, weight: Vector, epsilon: number): Vector {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => value * scale * weight[i]!);
}

function centred(x: Vector): Vector {
  const mean = x.reduce((a, b) => a + b) / x.length;
  return x.map((value) => value - mean);
}

/** [headCount * headSize] as views of one head each. */
function heads(x: Vector, headSize: number): Vector[] {
  return Array.from({ length: x.length / headSize }, (_, h) => x.subarray(h * headSize, (h + 1) * headSize));
}

interface Rope {
  readonly spec: RopeSpec;
  readonly frequencies: ArrayLike<number>;
  readonly factors: Vector | undefined;
}

/** Rotates the pairs of one head in place. */
function rotate(head: Vector, { spec: rope, frequencies, factors }: Rope, position: number): void {
  const pairs = rope.dimensions / 2;
  const magnitude = rope.scaling?.magnitude ?? 1;
  for (let i = 0; i < pairs; i++) {
    const [a, b] = rope.pairing === 'adjacent' ? [2 * i, 2 * i + 1] : [i, i + pairs];
    const angle = (position * frequencies[i]!) / (factors?.[i] ?? 1);
    const [x, y] = [magnitude * head[a]!, magnitude * head[b]!];
    head[a] = x * Math.cos(angle) - y * Math.sin(angle);
    head[b] = x * Math.sin(angle) + y * Math.cos(angle);
  }
}

/** One model with the positions that it has seen. */
class Reference {
  /** Of all choices of experts so far: ReferenceRun.margin. */
  margin = Number.POSITIVE_INFINITY;
  readonly #ropes = new Map<RopeSpec, Rope>();
  readonly #spec: ModelSpec;
  readonly #weights: Weights;
  readonly #caches: readonly KvCache[];

  constructor(
    spec: ModelSpec,
    weights: Weights,
    private readonly context: number,
  ) {
    this.#spec = spec;
    this.#weights = weights;
    this.#caches = spec.layers.map(() => ({ keys: [], values: [] }));
  }

  /** Logits [vocabSize] after the token at the next position. */
  step(token: number): Vector {
    const { tokenEmbedding, layers, outputNorm, outputNormBias, output, outputBias } = this.#spec;
    const { embeddingScale = 1, residualScale = 1, logitScale = 1, logitSoftCap, parallel } = this.#spec;
    let x: Vector = this.#weights.row(tokenEmbedding, token).map((value) => value * embeddingScale);
    layers.forEach((layer, index) => {
      const before = x;
      const attended = this.#attention(layer, this.#caches[index]!, this.#norm(x, layer.attnNorm, layer.attnNormBias));
      x = add(
        x,
        this.#norm(attended, layer.attnPostNorm).map((value) => value * residualScale),
      );
      const from = parallel ? before : x;
      const fed = this.#feedForward(layer, this.#norm(from, layer.ffnNorm, layer.ffnNormBias));
      x = add(
        x,
        this.#norm(fed, layer.ffnPostNorm).map((value) => value * residualScale),
      );
    });
    const logits = this.#linear(this.#norm(x, outputNorm, outputNormBias), output, outputBias);
    return logits.map((logit) => softCap(logit * logitScale, logitSoftCap));
  }

  /** No weight: the input as it is. */
  #norm(x: Vector, weight: Weight | undefined, bias?: Weight): Vector {
    if (!weight) return x;
    const { norm, normEpsilon } = this.#spec;
    const normed = rmsNorm(norm === 'layer' ? centred(x) : x, this.#weights.get(weight), normEpsilon);
    return bias ? add(normed, this.#weights.get(bias)) : normed;
  }

  /** weight [rows, cols] x input [cols] * scale + bias [rows]. */
  #linear(x: Vector, weight: Weight, bias?: Weight): Vector {
    return this.#rows(x, weight, bias, 0, weight.rows);
  }

  /** The same of `count` rows, from `first` on: those of one of the matrices that lie one after the other. */
  #rows(x: Vector, weight: Weight, bias: Weight | undefined, first: number, count: number): Vector {
    const matrix = this.#weights.get(weight);
    const scale = weight.scale ? this.#weights.get(weight.scale)[first / count]! : 1;
    const ofBias = weight.scalesBias ? scale : 1;
    const product = new Float64Array(count);
    for (let row = 0; row < count; row++) {
      product[row] = scale * dot(x, matrix.subarray((first + row) * weight.cols, (first + row + 1) * weight.cols));
    }
    if (!bias) return product;
    const added = this.#weights.get(bias).subarray(first, first + count);
    return product.map((value, row) => value + ofBias * added[row]!);
  }

  /** Norm of each head or of all, where the model has one, and rope. */
  #place(x: Vector, norm: Weight | undefined, layerRope: RopeSpec | undefined, position: number): Vector {
    const { headSize, normsAfterRope } = this.#spec;
    const rope = layerRope && this.#rope(layerRope);
    const ofAllHeads = norm?.cols !== headSize;
    const placed = ofAllHeads ? this.#norm(x, norm).slice() : x.slice();
    for (const head of heads(placed, headSize)) {
      if (rope && normsAfterRope) rotate(head, rope, position);
      if (!ofAllHeads) head.set(this.#norm(head, norm));
      if (rope && !normsAfterRope) rotate(head, rope, position);
    }
    return placed;
  }

  #rope(layerRope: RopeSpec): Rope {
    let rope = this.#ropes.get(layerRope);
    if (rope === undefined) {
      const spec = ropeAt(layerRope, this.context);
      const factors = spec.factors && this.#weights.get(spec.factors);
      rope = { spec, frequencies: ropeFrequencies(spec), factors };
      this.#ropes.set(layerRope, rope);
    }
    return rope;
  }

  #attention(layer: LayerSpec, cache: KvCache, x: Vector): Vector {
    const { headCount, headCountKv, headSize, attentionScale, attentionSoftCap } = this.#spec;
    const position = cache.keys.length;
    const query = this.#place(this.#linear(x, layer.attnQ, layer.attnQBias), layer.attnQNorm, layer.rope, position);
    cache.keys.push(this.#place(this.#linear(x, layer.attnK, layer.attnKBias), layer.attnKNorm, layer.rope, position));
    cache.values.push(this.#linear(x, layer.attnV, layer.attnVBias));

    const first = layer.window ? Math.max(0, position - layer.window + 1) : 0;
    const mixed = new Float64Array(headCount * headSize);
    heads(query, headSize).forEach((head, h) => {
      const at = Math.floor(h / (headCount / headCountKv)) * headSize;
      const scores = cache.keys
        .slice(first)
        .map((key) => softCap(dot(head, key.subarray(at, at + headSize)) * attentionScale, attentionSoftCap));
      // A sink takes its share and gives nothing.
      const sinks = layer.attnSinks ? [this.#weights.get(layer.attnSinks)[h]!] : [];
      const shares = softmax(Float64Array.from([...scores, ...sinks])).subarray(0, scores.length);
      shares.forEach((share, t) => {
        const value = cache.values[first + t]!;
        for (let i = 0; i < headSize; i++) mixed[h * headSize + i]! += share * value[at + i]!;
      });
    });
    return this.#linear(this.#gate(mixed, layer, x), layer.attnOutput, layer.attnOutputBias);
  }

  /** What attention gives, times the sigmoids of its gates. */
  #gate(mixed: Vector, { attnGate }: LayerSpec, x: Vector): Vector {
    if (!attnGate) return mixed;
    const gates = this.#linear(x, attnGate).map(sigmoid);
    return mixed.map((value, i) => value * gates[Math.floor((i * gates.length) / mixed.length)]!);
  }

  #feedForward(layer: LayerSpec, x: Vector): Vector {
    if (layer.ffnRouter) return this.#experts(layer, x);
    const up = this.#linear(x, layer.ffnUp!, layer.ffnUpBias);
    const gate = layer.ffnGate && this.#linear(x, layer.ffnGate, layer.ffnGateBias);
    const product = gate ? this.#gated(gate, up) : up.map(UNGATED[this.#spec.activation]);
    return this.#linear(product, layer.ffnDown!, layer.ffnDownBias);
  }

  #gated(gate: Vector, up: Vector): Vector {
    const gated = GATED[this.#spec.activation];
    return gate.map((value, i) => gated(value, up[i]!));
  }

  #experts(layer: LayerSpec, x: Vector): Vector {
    const experts = this.#spec.experts!;
    const { count, used } = experts;
    const logits = this.#linear(x, layer.ffnRouter!, layer.ffnRouterBias);
    const probabilities = experts.gating ? logits.map(sigmoid) : softmax(logits);
    const selection = layer.ffnRouterSelection && this.#weights.get(layer.ffnRouterSelection);
    const isScored = selection || experts.groups;
    const scores = selection ? add(probabilities, selection) : isScored ? probabilities : logits;
    const inRunning = experts.groups ? this.#dropGroups(scores, experts.groups) : scores;
    const chosen = this.#largest(inRunning, used, Math.sqrt(dot(scores, scores) / count));
    const weights = weightsOf(chosen, logits, probabilities, experts);
    let output: Vector = new Float64Array(this.#spec.embeddingLength);
    chosen.forEach((expert, i) => {
      const of = (input: Vector, weight: Weight, bias: Weight | undefined) => {
        const rows = weight.rows / count;
        return this.#rows(input, weight, bias, expert * rows, rows);
      };
      const gate = layer.ffnGateExperts && of(x, layer.ffnGateExperts, layer.ffnGateExpertsBias);
      const up = of(x, layer.ffnUpExperts!, layer.ffnUpExpertsBias);
      const product = gate ? this.#gated(gate, up) : up.map(UNGATED[this.#spec.activation]);
      const down = of(product, layer.ffnDownExperts!, layer.ffnDownExpertsBias);
      output = add(
        output,
        down.map((value) => value * weights[i]!),
      );
    });
    return layer.ffnSharedDown ? add(output, this.#sharedExpert(layer, x)) : output;
  }

  /** The places of the largest, best first; `unit`: what the margin is a part of. */
  #largest(scores: Vector, count: number, unit: number): number[] {
    const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
    if (count < scores.length) {
      const gap = scores[order[count - 1]!]! - scores[order[count]!]!;
      this.margin = Math.min(this.margin, gap / unit);
    }
    return order.slice(0, count);
  }

  /** -Infinity for the experts of all groups but those with the largest sums of their two best scores. */
  #dropGroups(scores: Vector, { count, used }: NonNullable<ExpertsSpec['groups']>): Vector {
    const size = scores.length / count;
    const sums = Float64Array.from({ length: count }, (_, group) => {
      const [best, second] = [...scores.subarray(group * size, (group + 1) * size)].sort((a, b) => b - a);
      return best! + second!;
    });
    const kept = this.#largest(sums, used, Math.sqrt(dot(sums, sums) / count));
    return scores.map((score, expert) => (kept.includes(Math.floor(expert / size)) ? score : Number.NEGATIVE_INFINITY));
  }

  #sharedExpert(layer: LayerSpec, x: Vector): Vector {
    const product = this.#gated(this.#linear(x, layer.ffnSharedGate!), this.#linear(x, layer.ffnSharedUp!));
    const down = this.#linear(product, layer.ffnSharedDown!);
    if (!layer.ffnSharedRouter) return down;
    const share = sigmoid(this.#linear(x, layer.ffnSharedRouter)[0]!);
    return down.map((value) => value * share);
  }
}

export interface ReferenceRun {
  /** After each token: [tokens.length, vocabSize], row after row. */
  readonly logits: Float64Array;
  /**
   * The least distance between the last expert that was chosen and the first that was not, as a part of the root mean
   * square of their logits. Where it is no larger than rounding, others may choose otherwise and be as right.
   */
  readonly margin: number;
}

/**
 * Feeds the tokens one a step from position 0. `context`: positions planned for, on which rope factors may depend.
 * `leastMargin`: ends at the first choice of experts that is closer; the logits that follow are 0.
 * @throws RangeError for a token that is not in the vocabulary.
 */
export function referenceRun(
  spec: ModelSpec,
  tokens: readonly number[],
  context = spec.contextLength,
  leastMargin = 0,
): ReferenceRun {
  for (const token of tokens) {
    if (!Number.isInteger(token) || token < 0 || token >= spec.vocabSize) {
      throw new RangeError(`token ${token} is none of 0..${spec.vocabSize - 1}`);
    }
  }
  using weights = new Weights(spec.file);
  const reference = new Reference(spec, weights, context);
  const logits = new Float64Array(tokens.length * spec.vocabSize);
  for (const [t, token] of tokens.entries()) {
    logits.set(reference.step(token), t * spec.vocabSize);
    if (reference.margin < leastMargin) break;
  }
  return { logits, margin: reference.margin };
}

/** The logits of referenceRun. */
export function referenceLogits(
  spec: ModelSpec,
  tokens: readonly number[],
  context = spec.contextLength,
): Float64Array {
  return referenceRun(spec, tokens, context).logits;
}
