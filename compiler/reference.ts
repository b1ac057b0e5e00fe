/**
 * The forward pass of a model in float64, one token at a time, with nothing fused and nothing fast: the truth that tests
 * compare with. Weights are dequantised exactly and the KV cache is not rounded.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { dequantize } from './dequantize.js';
import type { LayerSpec, ModelSpec, RopeSpec, Weight } from './model/spec.js';

type Vector = Float64Array;

/** Reads tensors of one model file; each is dequantised once. */
class Weights implements Disposable {
  readonly #file: number;
  readonly #values = new Map<Weight, Vector>();

  constructor(path: string) {
    this.#file = openSync(path, 'r');
  }

  /** All elements, row after row. */
  get(weight: Weight): Vector {
    let values = this.#values.get(weight);
    if (values === undefined) {
      const bytes = Buffer.alloc(weight.bytes);
      const read = readSync(this.#file, bytes, 0, weight.bytes, weight.offset);
      if (read !== weight.bytes) throw new Error(`${weight.name}: ${read} of ${weight.bytes} bytes could be read`);
      values = dequantize(weight.type, bytes);
      this.#values.set(weight, values);
    }
    return values;
  }

  row(weight: Weight, index: number): Vector {
    return this.get(weight).slice(index * weight.cols, (index + 1) * weight.cols);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
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

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

function softmax(scores: Vector): Vector {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

function rmsNorm(x: Vector, weight: Vector, epsilon: number): Vector {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => value * scale * weight[i]!);
}

/** [headCount * headSize] as views of one head each. */
function heads(x: Vector, headSize: number): Vector[] {
  return Array.from({ length: x.length / headSize }, (_, h) => x.subarray(h * headSize, (h + 1) * headSize));
}

/** Turns the pairs of one head in place. */
function turn(head: Vector, rope: RopeSpec, factors: Vector | undefined, position: number): void {
  const pairs = rope.dimensions / 2;
  for (let i = 0; i < pairs; i++) {
    const [a, b] = rope.pairing === 'adjacent' ? [2 * i, 2 * i + 1] : [i, i + pairs];
    const angle = (position * rope.base ** ((-2 * i) / rope.dimensions)) / (factors?.[i] ?? 1);
    const [x, y] = [head[a]!, head[b]!];
    head[a] = x * Math.cos(angle) - y * Math.sin(angle);
    head[b] = x * Math.sin(angle) + y * Math.cos(angle);
  }
}

/** One model with the positions that it has seen. */
class Reference {
  readonly #spec: ModelSpec;
  readonly #weights: Weights;
  readonly #caches: readonly KvCache[];

  constructor(spec: ModelSpec, weights: Weights) {
    this.#spec = spec;
    this.#weights = weights;
    this.#caches = spec.layers.map(() => ({ keys: [], values: [] }));
  }

  /** Logits [vocabSize] after the token at the next position. */
  step(token: number): Vector {
    const { tokenEmbedding, layers, outputNorm, output } = this.#spec;
    let x = this.#weights.row(tokenEmbedding, token);
    layers.forEach((layer, index) => {
      x = add(x, this.#attention(layer, this.#caches[index]!, this.#norm(x, layer.attnNorm)));
      x = add(x, this.#feedForward(layer, this.#norm(x, layer.ffnNorm)));
    });
    return this.#linear(this.#norm(x, outputNorm), output);
  }

  #norm(x: Vector, weight: Weight): Vector {
    return rmsNorm(x, this.#weights.get(weight), this.#spec.rmsEpsilon);
  }

  /** weight [rows, cols] x input [cols] + bias [rows]. */
  #linear(x: Vector, weight: Weight, bias?: Weight): Vector {
    const matrix = this.#weights.get(weight);
    const product = new Float64Array(weight.rows);
    for (let row = 0; row < weight.rows; row++) {
      product[row] = dot(x, matrix.subarray(row * weight.cols, (row + 1) * weight.cols));
    }
    return bias ? add(product, this.#weights.get(bias)) : product;
  }

  /** Norm of each head, where the model has one, then rope. */
  #place(x: Vector, norm: Weight | undefined, position: number): Vector {
    const { headSize, rope } = this.#spec;
    const factors = rope.factors && this.#weights.get(rope.factors);
    const placed = x.slice();
    for (const head of heads(placed, headSize)) {
      if (norm) head.set(this.#norm(head, norm));
      turn(head, rope, factors, position);
    }
    return placed;
  }

  #attention(layer: LayerSpec, cache: KvCache, x: Vector): Vector {
    const { headCount, headCountKv, headSize } = this.#spec;
    const position = cache.keys.length;
    const query = this.#place(this.#linear(x, layer.attnQ, layer.attnQBias), layer.attnQNorm, position);
    cache.keys.push(this.#place(this.#linear(x, layer.attnK, layer.attnKBias), layer.attnKNorm, position));
    cache.values.push(this.#linear(x, layer.attnV, layer.attnVBias));

    const mixed = new Float64Array(headCount * headSize);
    heads(query, headSize).forEach((head, h) => {
      const at = Math.floor(h / (headCount / headCountKv)) * headSize;
      const scores = cache.keys.map((key) => dot(head, key.subarray(at, at + headSize)) / Math.sqrt(headSize));
      softmax(Float64Array.from(scores)).forEach((share, t) => {
        const value = cache.values[t]!;
        for (let i = 0; i < headSize; i++) mixed[h * headSize + i]! += share * value[at + i]!;
      });
    });
    return this.#linear(mixed, layer.attnOutput, layer.attnOutputBias);
  }

  #feedForward(layer: LayerSpec, x: Vector): Vector {
    const gate = this.#linear(x, layer.ffnGate, layer.ffnGateBias);
    const up = this.#linear(x, layer.ffnUp, layer.ffnUpBias);
    const product = gate.map((value, i) => silu(value) * up[i]!);
    return this.#linear(product, layer.ffnDown, layer.ffnDownBias);
  }
}

/**
 * The logits after each token, fed one a step from position 0: [tokens.length, vocabSize], row after row.
 * @throws RangeError for a token that is not in the vocabulary.
 */
export function referenceLogits(spec: ModelSpec, tokens: readonly number[]): Float64Array {
  for (const token of tokens) {
    if (!Number.isInteger(token) || token < 0 || token >= spec.vocabSize) {
      throw new RangeError(`token ${token} is none of 0..${spec.vocabSize - 1}`);
    }
  }
  using weights = new Weights(spec.file.path);
  const reference = new Reference(spec, weights);
  const logits = new Float64Array(tokens.length * spec.vocabSize);
  for (const [t, token] of tokens.entries()) logits.set(reference.step(token), t * spec.vocabSize);
  return logits;
}
