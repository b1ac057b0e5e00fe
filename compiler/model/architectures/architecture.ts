/** What an architecture file says: which tensors a model of it has and how its heads turn. */
import type { LayerSpec, RopeSpec } from '../spec.js';

/** A width that the hyperparameters give; `query` is head count * head size, `keyValue` the same of the KV heads. */
export type Size = 'vocabulary' | 'embedding' | 'feedForward' | 'query' | 'keyValue' | 'head' | 'ropePairs';

export interface TensorRule {
  /** Without the "blk.0." of a layer. */
  readonly name: string;
  /** 1 for a vector. */
  readonly rows: Size | 1;
  readonly cols: Size;
  /** matrix: any supported type; vector: F32, F16 or BF16; f32: F32. */
  readonly kind: 'matrix' | 'vector' | 'f32';
  readonly optional: boolean;
}

type LayerRules = { readonly [Role in keyof LayerSpec]: TensorRule };

export interface Architecture {
  /** general.architecture, and the prefix of the metadata keys. */
  readonly name: string;
  readonly ropePairing: RopeSpec['pairing'];
  readonly model: {
    readonly tokenEmbedding: TensorRule;
    readonly outputNorm: TensorRule;
    /** Optional: absent, the token embedding is used. */
    readonly output: TensorRule;
    readonly ropeFactors?: TensorRule;
  };
  /** The tensors of every layer. A role of LayerSpec that is not named here must not be in the file. */
  readonly layer: LayerRules;
}

/** output[rows] = matrix[rows][cols] * input[cols]. */
function matrix(name: string, rows: Size, cols: Size): TensorRule {
  return { name, rows, cols, kind: 'matrix', optional: false };
}

export function vector(name: string, size: Size): TensorRule {
  return { name, rows: 1, cols: size, kind: 'vector', optional: false };
}

export function f32Vector(name: string, size: Size): TensorRule {
  return { name, rows: 1, cols: size, kind: 'f32', optional: false };
}

export function optional(rule: TensorRule): TensorRule {
  return { ...rule, optional: true };
}

/** What every pre-norm decoder with gated feed-forward has. */
export const DECODER = {
  tokenEmbedding: matrix('token_embd.weight', 'vocabulary', 'embedding'),
  outputNorm: vector('output_norm.weight', 'embedding'),
  output: optional(matrix('output.weight', 'vocabulary', 'embedding')),
} as const;

export const DECODER_LAYER = {
  attnNorm: vector('attn_norm.weight', 'embedding'),
  attnQ: matrix('attn_q.weight', 'query', 'embedding'),
  attnK: matrix('attn_k.weight', 'keyValue', 'embedding'),
  attnV: matrix('attn_v.weight', 'keyValue', 'embedding'),
  attnOutput: matrix('attn_output.weight', 'embedding', 'query'),
  ffnNorm: vector('ffn_norm.weight', 'embedding'),
  ffnGate: matrix('ffn_gate.weight', 'feedForward', 'embedding'),
  ffnUp: matrix('ffn_up.weight', 'feedForward', 'embedding'),
  ffnDown: matrix('ffn_down.weight', 'embedding', 'feedForward'),
} as const;
