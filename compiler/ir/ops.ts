/**
 * The intermediate representation: a step as a list of operations over named values. These are the
 * primitive operations, which graph/build.ts writes. passes/ turn them into fused ones, each of which is one kernel and
 * stands in that kernel's room (kernels/). Shapes are in elements; a value is f32 unless its form says otherwise.
 */
import type { Alone, Gated } from '../model/activations.js';
import type { ExpertsSpec, RopeSpec, Weight } from '../model/spec.js';

/** A row for each token of a step, for each of those whose logits are wanted, or for each pair of a token and an expert. */
export type Rows = 'token' | 'output' | Pairs;

/**
 * The experts that each token has chosen, sorted by expert (runtime/kernels/expert_tiles.cuh). The same object of all values
 * that have the same rows.
 */
export interface Pairs {
  readonly experts: number;
  readonly used: number;
}

/**
 * How the rows of a program of many rows lie where not as f32. operand: f16 as the shared memory of a matrix product wants
 * it, and a power of two for each row (runtime/kernels/operand.cuh). f16: each row's elements one after another. i32: places of
 * rows, and lists of them.
 */
export type Form = 'operand' | 'f16' | 'i32';

/** An activation that one operation writes and later ones read. */
export interface Value {
  readonly id: number;
  /** Unique and stable, "blk.0.attn_q". */
  readonly name: string;
  readonly rows: Rows;
  /** Elements of a row. 0 only for `Projection.best`: plan/ sizes it, at 2 a block of that projection's grid. */
  readonly cols: number;
  /** Absent: f32. */
  readonly form?: Form;
}

/** What outlives a step: of one layer, a row for each position. A layer may have none, or one of another size than others. */
export interface Cache {
  readonly id: number;
  readonly layer: number;
  /** A key and a value of each head. */
  readonly kind: 'kv';
  readonly heads: number;
  readonly headSize: number;
}

/** Of the input over its whole width: x * rsqrt(mean(x^2) + epsilon) * weight + bias; centred: of x - mean(x). */
export interface Norm {
  readonly weight: Weight;
  readonly bias?: Weight;
  readonly epsilon: number;
  readonly centred?: true;
}

/** The embedding row of the token in the state buffer, times scale. */
export interface Embed {
  readonly kind: 'embed';
  readonly weight: Weight;
  readonly scale?: number;
  readonly output: Value;
}

export interface NormOp {
  readonly kind: 'norm';
  readonly input: Value;
  readonly norm: Norm;
  /** The norm is taken of each head of this many elements; absent: of the whole value. */
  readonly headSize?: number;
  readonly output: Value;
}

/** output = weight x input (* the weight's scale) (+ bias), or (weight x input + bias) * scale: model/spec.ts. */
export interface Linear {
  readonly kind: 'linear';
  readonly input: Value;
  readonly weight: Weight;
  readonly bias?: Weight;
  readonly output: Value;
}

export interface Rope {
  readonly kind: 'rope';
  readonly input: Value;
  readonly headSize: number;
  readonly rope: RopeSpec;
  readonly output: Value;
}

/** Writes this position's key and value rows (f16) into a cache. */
export interface KvAppend {
  readonly kind: 'kv_append';
  readonly cache: Cache;
  readonly key: Value;
  readonly value: Value;
}

/** How a query's products with keys become scores: cap * tanh(q k * scale / cap), and which positions it sees. */
export interface Scoring {
  readonly scale: number;
  readonly softCap?: number;
  /** The newest positions; absent: all. */
  readonly window?: number;
}

/**
 * softmax(scores(q k^T)) v over positions [max(0, seq_len - window), seq_len) of the cache. sinks: a head's
 * one more score, of a value 0.
 */
export interface Attention extends Scoring {
  readonly kind: 'attention';
  readonly cache: Cache;
  readonly query: Value;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly sinks?: Weight;
  readonly output: Value;
}

/** output = sigmoid(gate) * input; the gate has an element for each of the input's, or one for each head. */
export interface HeadGate {
  readonly kind: 'head_gate';
  readonly gate: Value;
  readonly input: Value;
  readonly headSize: number;
  readonly output: Value;
}

export interface Add {
  readonly kind: 'add';
  readonly a: Value;
  readonly b: Value;
  readonly output: Value;
}

/** output = act(gate) * up (model/activations.ts). */
interface GatedBy<Kind> {
  readonly kind: Kind;
  readonly gate: Value;
  readonly up: Value;
  readonly output: Value;
}

export type GateMul = { [Name in Gated]: GatedBy<`${Name}_mul`> }[Gated];

/**
 * Chooses experts by their logits, or by their probabilities (plus `selection`; in groups). output: the numbers of those chosen, best first,
 * then their weights.
 */
export interface Route extends ExpertsSpec {
  readonly kind: 'route';
  readonly logits: Value;
  readonly selection?: Weight;
  readonly output: Value;
}

/**
 * Of each chosen expert its matrix x input (* scale) (+ bias), one after the other. The weight has all experts' rows, expert after
 * expert; the input is one for all, or one for each of those chosen.
 */
export interface ExpertLinear {
  readonly kind: 'expert_linear';
  readonly input: Value;
  readonly routing: Value;
  readonly count: number;
  readonly used: number;
  readonly weight: Weight;
  /** 1 x all experts' rows. */
  readonly bias?: Weight;
  readonly output: Value;
}

/** The sum of the chosen experts' parts of the input, each times its weight, best first. */
export interface ExpertSum {
  readonly kind: 'expert_sum';
  readonly input: Value;
  readonly routing: Value;
  readonly used: number;
  readonly output: Value;
}

/** output = sigmoid(gate) * input; gate has one element. */
export interface SigmoidScale {
  readonly kind: 'sigmoid_scale';
  readonly gate: Value;
  readonly input: Value;
  readonly output: Value;
}

/** output = act(input). */
export interface Activate {
  readonly kind: Alone;
  readonly input: Value;
  readonly output: Value;
}

/** output = input * by. */
export interface Scale {
  readonly kind: 'scale';
  readonly input: Value;
  readonly by: number;
  readonly output: Value;
}

/** output = cap * tanh(input / cap). */
export interface SoftCap {
  readonly kind: 'soft_cap';
  readonly input: Value;
  readonly cap: number;
  readonly output: Value;
}

/** Chooses a token by the logits and the sampling parameters of the state buffer, stores it, and advances token, position and seq_len in the state buffer. */
export interface Select {
  readonly kind: 'select';
  readonly logits: Value;
}

/** One of the matrices that a projection multiplies with, or a gate and an up matrix whose rows are combined. */
export interface Segment {
  /** One weight, or [gate, up] where the projection's activation is of two. Same rows and cols. */
  readonly weights: readonly Weight[];
  /** One entry a weight. */
  readonly biases: readonly (Weight | undefined)[];
}

export type PrimitiveOp =
  | Embed
  | NormOp
  | Linear
  | Rope
  | KvAppend
  | Attention
  | HeadGate
  | Add
  | GateMul
  | Route
  | ExpertLinear
  | ExpertSum
  | SigmoidScale
  | Activate
  | Scale
  | SoftCap
  | Select;
