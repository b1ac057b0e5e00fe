/** The typed description of a model: every hyperparameter, and every weight by role with dtype and shape. */
import type { GgmlType } from './ggml.js';

/** A tensor of the model file, as rows of `cols` contiguous elements. A vector has one row. */
export interface Weight {
  /** Name in the file, "blk.0.attn_q.weight". */
  readonly name: string;
  readonly type: GgmlType;
  readonly rows: number;
  readonly cols: number;
  /** From the start of the file, bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Rotary position embedding. Pair i turns by position * base^(-2i/dimensions) / factors[i]. */
export interface RopeSpec {
  /** Elements of a head that turn; the rest pass unchanged. Even, at most the head size. */
  readonly dimensions: number;
  readonly base: number;
  /** Which elements form pair i: (2i, 2i+1), or (i, i + dimensions/2). */
  readonly pairing: 'adjacent' | 'half';
  /** f32[dimensions/2], from rope_freqs.weight. */
  readonly factors?: Weight;
}

export interface LayerSpec {
  readonly attnNorm: Weight;
  readonly attnQ: Weight;
  readonly attnK: Weight;
  readonly attnV: Weight;
  readonly attnOutput: Weight;
  readonly attnQBias?: Weight;
  readonly attnKBias?: Weight;
  readonly attnVBias?: Weight;
  readonly attnOutputBias?: Weight;
  /** f32[headSize]. */
  readonly attnQNorm?: Weight;
  readonly attnKNorm?: Weight;
  readonly ffnNorm: Weight;
  readonly ffnGate: Weight;
  readonly ffnUp: Weight;
  readonly ffnDown: Weight;
  readonly ffnGateBias?: Weight;
  readonly ffnUpBias?: Weight;
  readonly ffnDownBias?: Weight;
}

export interface ModelSpec {
  /** The file's stem as it is; never used as code or path without emit/names.ts. */
  readonly name: string;
  readonly architecture: string;
  readonly file: {
    readonly path: string;
    readonly bytes: number;
    /** Bytes before the tensor data, alignment included. */
    readonly headerBytes: number;
    /** SHA-256 of those bytes, lower-case hex. */
    readonly headerSha256: string;
  };
  readonly vocabSize: number;
  /** Positions the model was trained for. */
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly rmsEpsilon: number;
  readonly rope: RopeSpec;
  readonly tokenEmbedding: Weight;
  readonly outputNorm: Weight;
  /** The same object as tokenEmbedding where the model ties them. */
  readonly output: Weight;
  readonly layers: readonly LayerSpec[];
}
