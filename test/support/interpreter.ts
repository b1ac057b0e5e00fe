/**
 * Evaluates graphs of either form in float64, over random weights or those of a model file. A fused operation is spelt out as its doc
 * comment in ops.ts says, from the same pieces in the same order as the primitive ones, so that two graphs with the same
 * meaning give the same bits.
 */

import { roundUp } from '../../compiler/arithmetic.js';
import type { Graph, Op } from '../../compiler/graph/graph.js';
import type { Activate, ExpertLinear, GateMul, Norm, Segment, Value } from '../../compiler/ir/ops.js';
import { type Append, HEAD_ALIGNMENT } from '../../compiler/kernels/append.js';
import type { Attend } from '../../compiler/kernels/attend/operation.js';
import type { AttendRows } from '../../compiler/kernels/attend_rows.js';
import type { CombineRows } from '../../compiler/kernels/combine_rows.js';
import type { Experts } from '../../compiler/kernels/experts/operation.js';
import type { Matmul } from '../../compiler/kernels/matmul/operation.js';
import type { Projection } from '../../compiler/kernels/projection/operation.js';
import type { RouteRows } from '../../compiler/kernels/route_rows.js';
import { ropeFrequencies } from '../../compiler/model/rope.js';
import type { ExpertsSpec, RopeSpec, Weight } from '../../compiler/model/spec.js';
import { Random } from './random.js';

type Vector = Float64Array;

export interface Step {
  readonly token: number;
  readonly logits: Vector;
}

/** Row `index` of a weight. */
export type Rows = (weight: Weight, index: number) => Vector;

/** Feeds the tokens, then `greedy` more that the graph selects; returns what was fed and the logits after each. */
export function evaluate(graph: Graph, tokens: readonly number[], greedy: number, rows: Rows = randomRow): Step[] {
  const interpreter = new Interpreter(graph, rows);
  const fed = Array.from(tokens, (token) => interpreter.step(token));
  return [...fed, ...Array.from({ length: greedy }, () => interpreter.step())];
}

class Interpreter {
  readonly #state = { token: 0, position: 0, seqLen: 1 };
  readonly #kv = new Map<number, { keys: Vector[]; values: Vector[] }>();
  #values = new Map<Value, Vector>();

  constructor(
    private readonly graph: Graph,
    private readonly rows: Rows,
  ) {}

  step(token = this.#state.token): Step {
    this.#state.token = token;
    this.#values = new Map();
    for (const op of this.graph.ops) this.#run(op);
    return { token, logits: this.#read(this.graph.logits) };
  }

  #run(op: Op): void {
    if (op.kind === 'kv_append') this.#append(op.cache.id, this.#read(op.key), this.#read(op.value));
    else if (op.kind === 'select' || op.kind === 'select_rows') this.#select(blockBest(this.#read(op.logits), 1));
    else if (op.kind === 'select_best') this.#select(this.#read(op.best));
    else if (op.kind !== 'find_largest') this.#values.set(op.output, this.#output(op));
    if ((op.kind === 'projection' || op.kind === 'operand_rows') && op.inputSum?.output)
      this.#values.set(op.inputSum.output, this.#inputOf(op));
    // Of one token: the experts that its pairs are of.
    if (op.kind === 'sort_rows') this.#values.set(op.tiles, this.#read(op.routing).subarray(0, op.output.cols));
    if (op.kind === 'projection' && op.router) {
      const { norm, weight, logits } = op.router;
      this.#values.set(logits, this.#linear(this.#norm(this.#read(op.output), norm), weight));
    }
    // Three rows a block: several blocks, and a last one that is not full.
    if (op.kind === 'projection' && op.best) this.#values.set(op.best, blockBest(this.#read(op.output), 3));
  }

  #output(op: Extract<Op, { output: Value }>): Vector {
    switch (op.kind) {
      case 'embed':
      case 'embed_rows':
        return scaled(this.rows(op.weight, this.#state.token), op.scale);
      case 'norm':
        return this.#norm(this.#read(op.input), op.norm, op.headSize);
      case 'linear':
        return this.#linear(this.#read(op.input), op.weight, op.bias);
      case 'rope':
        return this.#rope(this.#read(op.input), op.rope, op.headSize);
      case 'attention':
        return this.#attention(op, this.#read(op.query));
      case 'head_gate':
        return gatedHeads(this.#read(op.gate), this.#read(op.input));
      case 'add':
        return add(this.#read(op.a), this.#read(op.b));
      case 'silu_mul':
      case 'gelu_mul':
      case 'swiglu_oai_mul':
        return gated(op.kind, this.#read(op.gate), this.#read(op.up));
      case 'route':
        return route(op, this.#read(op.logits), op.selection && this.rows(op.selection, 0));
      case 'expert_linear':
        return this.#expertLinear(op, this.#read(op.input), this.#read(op.routing));
      case 'expert_sum':
        return expertSum(this.#read(op.input), this.#read(op.routing), op.used);
      case 'sigmoid_scale':
        return scaled(this.#read(op.input), sigmoid(this.#read(op.gate)[0]!));
      case 'experts':
        return this.#experts(op);
      case 'silu':
      case 'gelu':
      case 'gelu_erf':
      case 'relu_sqr':
        return this.#read(op.input).map(UNGATED[op.kind]);
      case 'scale':
        return scaled(this.#read(op.input), op.by);
      case 'soft_cap':
        return capped(this.#read(op.input), op.cap);
      case 'norm_add':
      case 'norm_add_rows': {
        const normed = this.#norm(this.#read(op.input), op.norm);
        return op.residual ? add(normed, this.#read(op.residual)) : normed;
      }
      case 'projection':
        return this.#projection(op);
      case 'matmul':
        return op.experts ? this.#pairs(op, op.experts) : this.#projection({ ...op, kind: 'projection' });
      case 'route_rows':
        return this.#routeRows(op);
      case 'sort_rows':
        return Float64Array.from({ length: op.output.cols }, (_, place) => place);
      case 'scatter_rows':
        return concat(Array.from(this.#read(op.places), () => this.#read(op.input)));
      case 'combine_rows':
        return this.#combine(op);
      case 'operand_rows':
        return op.norm ? this.#norm(this.#inputOf(op), op.norm) : this.#inputOf(op);
      case 'append':
        return padded(scaled(this.#appendHeads(op), op.scale), op.headSize);
      case 'attend_rows':
        return this.#attendRows(op);
      case 'attend':
        return this.#attend(op);
    }
  }

  #projection(op: Projection): Vector {
    const sum = this.#inputOf(op);
    const input = op.norm ? this.#norm(sum, op.norm) : sum;
    const products = concat(op.segments.map((segment) => this.#segment(input, segment, op.activation)));
    const rows = capped(scaled(products, op.scale), op.softCap);
    return op.residual ? add(rows, this.#read(op.residual)) : rows;
  }

  #inputOf({ input, inputSum }: Pick<Projection, 'input' | 'inputSum'>): Vector {
    if (!inputSum) return this.#read(input);
    return add(this.#norm(this.#read(input), inputSum.norm), this.#read(inputSum.residual));
  }

  #segment(input: Vector, { weights, biases }: Segment, activation: Projection['activation']): Vector {
    const products = weights.map((weight, i) => this.#linear(input, weight, biases[i]));
    return activated(activation, products);
  }

  #expertLinear(
    op: Omit<ExpertLinear, 'kind' | 'input' | 'routing' | 'output'>,
    input: Vector,
    routing: Vector,
  ): Vector {
    const { weight, bias, count, used } = op;
    const rows = weight.rows / count;
    const biases = bias && this.rows(bias, 0);
    const chosen = Array.from(routing.subarray(0, used));
    return concat(
      chosen.map((expert, i) => {
        const own = input.length === weight.cols ? input : input.subarray(i * weight.cols, (i + 1) * weight.cols);
        const first = expert * rows;
        const scale = weight.scale ? this.rows(weight.scale, 0)[expert]! : 1;
        const products = Float64Array.from(
          { length: rows },
          (_, row) => scale * dot(this.rows(weight, first + row), own),
        );
        return biases ? add(products, biases.subarray(first, first + rows)) : products;
      }),
    );
  }

  #experts(op: Experts): Vector {
    const logits = this.#read(op.logits);
    const { count, used } = op.experts;
    const routing = route(op.experts, logits.subarray(0, count), op.selection && this.rows(op.selection, 0));
    const input = op.norm ? this.#norm(this.#read(op.input), op.norm) : this.#read(op.input);
    const products = op.segment.weights.map((weight, i) => {
      const bias = op.segment.biases[i];
      return this.#expertLinear({ weight, ...(bias && { bias }), count, used }, input, routing);
    });
    if (!op.sum) return activated(op.activation, products);
    let sum = expertSum(products[0]!, routing, used);
    if (op.shared) sum = add(sum, scaled(this.#read(op.shared), op.gated && sigmoid(logits[count]!)));
    sum = scaled(sum, op.sum.scale);
    return op.residual ? add(sum, this.#read(op.residual)) : sum;
  }

  #routeRows({ input, norm, segments, experts, selection }: RouteRows): Vector {
    const x = norm ? this.#norm(this.#read(input), norm) : this.#read(input);
    const [logits, gate] = segments.map(({ weights, biases }) => this.#linear(x, weights[0]!, biases[0]));
    const routing = route(experts, logits!, selection && this.rows(selection, 0));
    return gate ? concat([routing, gate.map(sigmoid)]) : routing;
  }

  #pairs({ input, segments, activation }: Matmul, { count, tiles }: NonNullable<Matmul['experts']>): Vector {
    const chosen = this.#read(tiles);
    const [{ weights, biases }] = segments as [Segment];
    const products = weights.map((weight, i) => {
      const bias = biases[i];
      const linear = { weight, ...(bias && { bias }), count, used: chosen.length };
      return this.#expertLinear(linear, this.#read(input), chosen);
    });
    return activated(activation, products);
  }

  #combine({ input, routing, places, shared, gated, scale, residual }: CombineRows): Vector {
    const used = places.cols;
    const sum = expertSum(this.#read(input), this.#read(routing), used);
    const gate = gated && this.#read(routing)[2 * used];
    const whole = scaled(shared ? add(sum, scaled(this.#read(shared), gate)) : sum, scale);
    return residual ? add(whole, this.#read(residual)) : whole;
  }

  #linear(input: Vector, weight: Weight, bias?: Weight): Vector {
    const scale = weight.scale ? this.rows(weight.scale, 0)[0]! : 1;
    const output = Float64Array.from({ length: weight.rows }, (_, i) => scale * dot(this.rows(weight, i), input));
    return bias ? add(output, scaled(this.rows(bias, 0), weight.scalesBias && scale)) : output;
  }

  #norm(input: Vector, { weight, bias, epsilon, centred }: Norm, headSize = input.length): Vector {
    const scale = this.rows(weight, 0);
    const offset = bias && this.rows(bias, 0);
    const heads = Array.from({ length: input.length / headSize }, (_, i) =>
      input.subarray(i * headSize, (i + 1) * headSize),
    );
    return concat(
      heads.map((whole) => {
        const mean = centred ? whole.reduce((a, b) => a + b) / whole.length : 0;
        const head = whole.map((x) => x - mean);
        const rms = Math.sqrt(dot(head, head) / headSize + epsilon);
        return head.map((x, i) => (x / rms) * scale[i]! + (offset?.[i] ?? 0));
      }),
    );
  }

  #attend(op: Attend): Vector {
    const output = this.#attention(op, this.#appendHeads(op));
    return op.gates ? gatedHeads(this.#gates(op.qkv, op), output) : output;
  }

  #attendRows(op: AttendRows): Vector {
    const query = unpadded(this.#read(op.query), op.headSize);
    const output = this.#attention({ ...op, scale: 1 }, query);
    return op.qkv ? gatedHeads(this.#gates(op.qkv, op), output) : output;
  }

  #gates(qkv: Value, { headCount, headCountKv, headSize }: Pick<Attend, 'headCount' | 'headCountKv' | 'headSize'>) {
    return this.#read(qkv).subarray((headCount + 2 * headCountKv) * headSize);
  }

  /** Keys and values go into the cache; returns the queries. */
  #appendHeads(op: Attend | Append): Vector {
    const qkv = this.#read(op.qkv);
    const qSize = op.headCount * op.headSize;
    const kvSize = op.headCountKv * op.headSize;
    const normed = (x: Vector, norm?: Norm) => (norm ? this.#norm(x, norm, norm.weight.cols) : x);
    const turned = (x: Vector) => (op.rope ? this.#rope(x, op.rope, op.headSize) : x);
    const rotated = (x: Vector, norm?: Norm) => (op.normTurned ? normed(turned(x), norm) : turned(normed(x, norm)));
    const key = rotated(qkv.subarray(qSize, qSize + kvSize), op.keyNorm);
    this.#append(op.cache.id, key, qkv.subarray(qSize + kvSize, qSize + 2 * kvSize));
    return rotated(qkv.subarray(0, qSize), op.queryNorm);
  }

  #append(id: number, key: Vector, value: Vector): void {
    const cache = this.#kv.get(id) ?? { keys: [], values: [] };
    cache.keys[this.#state.position] = key;
    cache.values[this.#state.position] = value;
    this.#kv.set(id, cache);
  }

  #attention(op: Omit<Attend, 'kind' | 'qkv'>, query: Vector): Vector {
    const { keys, values } = this.#kv.get(op.cache.id)!;
    const output = new Float64Array(query.length);
    for (let head = 0; head < op.headCount; head++) {
      const kvHead = Math.floor((head * op.headCountKv) / op.headCount);
      const slice = (x: Vector, index: number) => x.subarray(index * op.headSize, (index + 1) * op.headSize);
      const q = slice(query, head);
      const first = op.window ? Math.max(0, this.#state.seqLen - op.window) : 0;
      const visible = keys.slice(first, this.#state.seqLen);
      const scores = Float64Array.from(visible, (key) => dot(q, slice(key, kvHead)) * op.scale);
      const sinks = op.sinks ? [this.rows(op.sinks, 0)[head]!] : [];
      const weights = softmax([...capped(scores, op.softCap), ...sinks]);
      for (const [position, weight] of weights.slice(0, visible.length).entries()) {
        const v = slice(values[first + position]!, kvHead);
        for (let i = 0; i < op.headSize; i++) output[head * op.headSize + i]! += weight * v[i]!;
      }
    }
    return output;
  }

  #rope(input: Vector, rope: RopeSpec, headSize: number): Vector {
    const output = input.slice();
    const factors = rope.factors && this.rows(rope.factors, 0);
    const frequencies = ropeFrequencies(rope);
    const magnitude = rope.scaling?.magnitude ?? 1;
    for (let head = 0; head < input.length; head += headSize) {
      for (let i = 0; i < rope.dimensions / 2; i++) {
        const [a, b] = rope.pairing === 'half' ? [i, i + rope.dimensions / 2] : [2 * i, 2 * i + 1];
        const angle = (this.#state.position * frequencies[i]!) / (factors?.[i] ?? 1);
        const [x, y] = [magnitude * input[head + a]!, magnitude * input[head + b]!];
        output[head + a] = x * Math.cos(angle) - y * Math.sin(angle);
        output[head + b] = x * Math.sin(angle) + y * Math.cos(angle);
      }
    }
    return output;
  }

  /** best: the largest logit and its row, for each block. */
  #select(best: Vector): void {
    let chosen = 0;
    for (let i = 2; i < best.length; i += 2) if (best[i]! > best[chosen]!) chosen = i;
    this.#state.token = best[chosen + 1]!;
    this.#moveOn();
  }

  #moveOn(): void {
    this.#state.position++;
    this.#state.seqLen++;
  }

  #read(value: Value): Vector {
    const data = this.#values.get(value);
    if (!data) throw new Error(`${value.name} is read before it is written`);
    return data;
  }
}

function blockBest(logits: Vector, rows: number): Vector {
  const best: number[] = [];
  for (let start = 0; start < logits.length; start += rows) {
    const block = logits.subarray(start, start + rows);
    const max = Math.max(...block);
    best.push(max, start + block.indexOf(max));
  }
  return Float64Array.from(best);
}

/** Each head filled up to a multiple of 16 elements, and back. */
const padded = (heads: Vector, headSize: number) => resized(heads, headSize, roundUp(headSize, HEAD_ALIGNMENT));
const unpadded = (heads: Vector, headSize: number) => resized(heads, roundUp(headSize, HEAD_ALIGNMENT), headSize);

function resized(heads: Vector, from: number, to: number): Vector {
  const length = (heads.length / from) * to;
  return Float64Array.from({ length }, (_, i) => (i % to < from ? heads[Math.floor(i / to) * from + (i % to)]! : 0));
}

function softmax(scores: readonly number[]): number[] {
  const max = Math.max(...scores);
  const terms = scores.map((score) => Math.exp(score - max));
  const sum = terms.reduce((a, b) => a + b, 0);
  return terms.map((term) => term / sum);
}

/** The numbers of the experts with the largest logits, or probabilities with something added, then their weights. */
function route(experts: ExpertsSpec, logits: Vector, selection?: Vector): Vector {
  const { used, weightsOver, gating, scale = 1, groups } = experts;
  const probabilities = Float64Array.from(gating ? [...logits].map(sigmoid) : softmax([...logits]));
  const all = selection ? add(probabilities, selection) : groups ? probabilities : logits;
  const scores = groups ? ofBestGroups(all, groups) : all;
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const chosen = order.slice(0, used);
  const own = chosen.map((e) => probabilities[e]!);
  const sum = weightsOver === 'all' ? 1 : own.reduce((a, b) => a + b, 0);
  return Float64Array.from([...chosen, ...own.map((weight) => (weight / sum) * scale)]);
}

function ofBestGroups(scores: Vector, { count, used }: NonNullable<ExpertsSpec['groups']>): Vector {
  const size = scores.length / count;
  const sumOf = (group: number) => {
    const sorted = scores.slice(group * size, (group + 1) * size).sort();
    return sorted[size - 1]! + sorted[size - 2]!;
  };
  const sums = Array.from({ length: count }, (_, group) => sumOf(group));
  const better = (group: number) => sums.filter((sum, i) => sum > sums[group]! || (sum === sums[group]! && i < group));
  return scores.map((score, expert) =>
    better(Math.floor(expert / size)).length < used ? score : Number.NEGATIVE_INFINITY,
  );
}

function expertSum(input: Vector, routing: Vector, used: number): Vector {
  const size = input.length / used;
  const parts = Array.from({ length: used }, (_, i) =>
    scaled(input.subarray(i * size, (i + 1) * size), routing[used + i]!),
  );
  return parts.reduce(add);
}

/** Of one matrix's rows, or of a gate's and an up's. */
function activated(kind: Experts['activation'], products: readonly Vector[]): Vector {
  if (kind === undefined) return products[0]!;
  if (isUngated(kind)) return products[0]!.map(UNGATED[kind]);
  return gated(kind, products[0]!, products[1]!);
}

const gated = (kind: GateMul['kind'], gate: Vector, up: Vector): Vector => gate.map((x, i) => GATED[kind](x, up[i]!));

function gatedHeads(gate: Vector, input: Vector): Vector {
  const each = input.length / gate.length;
  return input.map((x, i) => x * sigmoid(gate[Math.floor(i / each)]!));
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const dot = (a: Vector, b: Vector) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const add = (a: Vector, b: Vector) => a.map((x, i) => x + b[i]!);
const silu = (x: number) => x / (1 + Math.exp(-x));
const GATED: Readonly<Record<GateMul['kind'], (gate: number, up: number) => number>> = {
  silu_mul: (x, up) => silu(x) * up,
  gelu_mul: (x, up) => gelu(x) * up,
  swiglu_oai_mul: (x, up) => Math.min(x, 7) * sigmoid(1.702 * Math.min(x, 7)) * (Math.max(-7, Math.min(up, 7)) + 1),
};
const UNGATED: Readonly<Record<Activate['kind'], (x: number) => number>> = {
  silu,
  gelu: (x: number) => gelu(x),
  gelu_erf: (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  relu_sqr: (x: number) => Math.max(x, 0) ** 2,
};
const isUngated = (kind: string): kind is Activate['kind'] => Object.hasOwn(UNGATED, kind);
/** To 1.5e-7 (Abramowitz and Stegun, 7.1.26): graphs are only compared with each other. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const terms = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
  const sum = terms.reduceRight((rest, term) => t * (term + rest), 0);
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}
const gelu = (x: number) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const scaled = (x: Vector, by?: number) => (by === undefined ? x : x.map((value) => value * by));
const capped = (x: Vector, cap?: number) => (cap ? x.map((value) => cap * Math.tanh(value / cap)) : x);
const concat = (parts: Vector[]) => Float64Array.from(parts.flatMap((part) => [...part]));

/** Between 0.5 and 1.5 for vectors, between -1 and 1 for matrices; the same for the same name and index. */
function randomRow({ name, rows, cols }: Weight, index: number): Vector {
  const random = new Random(hash(`${name} ${index}`));
  const [low, high] = rows === 1 ? [0.5, 1.5] : [-1, 1];
  return Float64Array.from({ length: cols }, () => random.uniform(low, high));
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const char of text) h = Math.imul(h ^ char.charCodeAt(0), 0x01000193);
  return h;
}
