/**
 * The intermediate representation: one token's decode step as a list of operations over named values.
 * `build.ts` writes the unfused form, `passes/` turn it into the fused form (one operation a kernel), `verify.ts` holds
 * the rules of both. Shapes are in elements; every value is f32.
 */
import type { RopeSpec, Weight } from '../model/spec.js';

/** An activation that one operation writes and later ones read. */
export interface Value {
  readonly id: number;
  /** Unique and stable, "blk.0.attn_q". */
  readonly name: string;
  /** Elements. 0 only for `Projection.best`: plan/ sizes it, at 2 a block of that projection's grid. */
  readonly size: number;
}

/** RMSNorm of the input over its whole width: x * rsqrt(mean(x^2) + epsilon) * weight. */
export interface Norm {
  readonly weight: Weight;
  readonly epsilon: number;
}

/** The embedding row of the token in the state buffer. */
export interface Embed {
  readonly kind: 'embed';
  readonly weight: Weight;
  readonly output: Value;
}

export interface RmsNorm {
  readonly kind: 'rms_norm';
  readonly input: Value;
  readonly norm: Norm;
  /** The norm is taken of each head of this many elements; absent: of the whole value. */
  readonly headSize?: number;
  readonly output: Value;
}

/** output = weight x input (+ bias). */
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

/** Writes this position's key and value rows (f16) into the KV cache of a layer. */
export interface KvAppend {
  readonly kind: 'kv_append';
  readonly layer: number;
  readonly key: Value;
  readonly value: Value;
}

/** softmax(q k^T / sqrt(head size)) v over positions [0, seq_len) of the layer's KV cache. */
export interface Attention {
  readonly kind: 'attention';
  readonly layer: number;
  readonly query: Value;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly output: Value;
}

export interface Add {
  readonly kind: 'add';
  readonly a: Value;
  readonly b: Value;
  readonly output: Value;
}

/** output = silu(gate) * up. */
export interface SiluMul {
  readonly kind: 'silu_mul';
  readonly gate: Value;
  readonly up: Value;
  readonly output: Value;
}

/** Chooses the greedy token of the logits, stores it, and advances token, position and seq_len in the state buffer. */
export interface Select {
  readonly kind: 'select';
  readonly logits: Value;
}

/** One of the matrices that a projection multiplies with, or a gate and an up matrix whose rows are combined. */
export interface Segment {
  /** One weight, or [gate, up] where the projection has the activation silu_mul. Same rows and cols. */
  readonly weights: readonly Weight[];
  /** One entry a weight. */
  readonly biases: readonly (Weight | undefined)[];
}

/**
 * Fused: norm, matrix products of one input, and what follows them row by row.
 * output is the concatenation of the segments' rows, in order: act(segments x norm(input) + bias) + residual.
 */
export interface Projection {
  readonly kind: 'projection';
  readonly input: Value;
  readonly norm?: Norm;
  readonly segments: readonly Segment[];
  readonly activation?: 'silu_mul';
  readonly residual?: Value;
  readonly output: Value;
  /** The output is the logits: each block also leaves its largest one and that one's row here. */
  readonly best?: Value;
}

/** Fused: per-head norms, rope, KV append and attention. Reads the output of the QKV projection: q, then k, then v. */
export interface Attend {
  readonly kind: 'attend';
  readonly layer: number;
  readonly qkv: Value;
  readonly queryNorm?: Norm;
  readonly keyNorm?: Norm;
  readonly rope: RopeSpec;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly output: Value;
}

/** Fused: select from what the blocks of the last projection left. */
export interface SelectBest {
  readonly kind: 'select_best';
  readonly best: Value;
}

export type PrimitiveOp = Embed | RmsNorm | Linear | Rope | KvAppend | Attention | Add | SiluMul | Select;
/** What plan/ can lower: one kernel node each. */
export type FusedOp = Embed | Projection | Attend | SelectBest;
export type Op = PrimitiveOp | FusedOp;

export interface Graph {
  readonly ops: readonly Op[];
  readonly logits: Value;
}
