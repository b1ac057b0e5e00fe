/** The typed description of a model: every hyperparameter, and every weight by role with dtype and shape. */

import type { GgmlType } from '../../runtime/files/ggml.js';
import type { GgufFile } from '../../runtime/files/gguf.js';
import type { StatedFactors } from '../../runtime/files/stated.js';
import type { Stored } from '../../runtime/files/tensor_table.js';
import type { Activation } from './activations.js';

/** A tensor of the model file, as rows of `cols` contiguous elements. A vector has one row. */
export interface Weight extends Stored {
  /** Name in the file, "blk.0.attn_q.weight". */
  readonly name: string;
  readonly type: GgmlType;
  readonly rows: number;
  readonly cols: number;
  /** From the start of the file, bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** Of a matrix: one number that its products are multiplied with; of experts' matrices one each. */
  readonly scale?: Weight;
  /** The scale is of products and bias together, not of products alone. */
  readonly scalesBias?: true;
}

/** YaRN: pairs that rotate fewer than betaSlow times in the original context are interpolated, above betaFast none is. */
export interface Yarn {
  readonly originalContext: number;
  readonly betaFast: number;
  readonly betaSlow: number;
  /** The blend between the two begins and ends where it is computed to; absent: at whole pairs. */
  readonly unrounded?: true;
}

export interface RopeScaling {
  /** Positions count this much: 1 / factor. */
  readonly scale: number;
  readonly yarn?: Yarn;
  /** Rotated elements are multiplied with it. */
  readonly magnitude: number;
}

/** Rotary position embedding. Pair i is rotated by position * frequency(i) / factors[i]; rope.ts has the frequencies. */
export interface RopeSpec {
  /** Elements of a head that are rotated; the rest pass unchanged. Even, at most the head size. */
  readonly dimensions: number;
  readonly base: number;
  /** Which elements form pair i: (2i, 2i+1), or (i, i + dimensions/2). */
  readonly pairing: 'adjacent' | 'half';
  readonly scaling?: RopeScaling;
  /** f32[dimensions/2]. */
  readonly factors?: Weight;
  /** The same as numbers, for a model that has no tensor of them. */
  readonly statedFactors?: StatedFactors;
  /** Taken in place of `factors` where the planned context has more than `beyond` positions. */
  readonly longFactors?: { readonly weight: Weight; readonly beyond: number };
}

/** The tensors of a layer by role. What it computes follows from those that are there (graph/build.ts). */
export interface LayerWeights {
  /** Absent: attention reads the hidden state as it is. */
  readonly attnNorm?: Weight;
  readonly attnNormBias?: Weight;
  readonly attnQ: Weight;
  readonly attnK: Weight;
  readonly attnV: Weight;
  readonly attnOutput: Weight;
  readonly attnQBias?: Weight;
  readonly attnKBias?: Weight;
  readonly attnVBias?: Weight;
  readonly attnOutputBias?: Weight;
  /** Of attention's output, before it is added to the hidden state. */
  readonly attnPostNorm?: Weight;
  /** [headSize]: of each head; [query], [keyValue]: of all heads together. */
  readonly attnQNorm?: Weight;
  readonly attnKNorm?: Weight;
  /** [headCount]: a score beside those of the positions that takes its share of the softmax and has no value. */
  readonly attnSinks?: Weight;
  /** [headCount] or [headCount * headSize] rows: what each head or element of attention's output is multiplied with is their sigmoid. */
  readonly attnGate?: Weight;
  readonly ffnNorm?: Weight;
  readonly ffnNormBias?: Weight;
  readonly ffnPostNorm?: Weight;
  /** Absent: the activation is of `ffnUp` alone. */
  readonly ffnGate?: Weight;
  /** A layer has these two, or experts. */
  readonly ffnUp?: Weight;
  readonly ffnDown?: Weight;
  readonly ffnGateBias?: Weight;
  readonly ffnUpBias?: Weight;
  readonly ffnDownBias?: Weight;
  /** [experts] rows: what chooses experts. */
  readonly ffnRouter?: Weight;
  readonly ffnRouterBias?: Weight;
  /** [experts]: added to their probabilities where experts are chosen, but not to their weights. */
  readonly ffnRouterSelection?: Weight;
  /** The experts' matrices, all rows of one after all rows of the other; biases likewise, as one vector. */
  readonly ffnGateExperts?: Weight;
  readonly ffnUpExperts?: Weight;
  readonly ffnDownExperts?: Weight;
  readonly ffnGateExpertsBias?: Weight;
  readonly ffnUpExpertsBias?: Weight;
  readonly ffnDownExpertsBias?: Weight;
  /** The expert that every token takes; its output is multiplied with the sigmoid of the one row of `ffnSharedRouter`. */
  readonly ffnSharedRouter?: Weight;
  readonly ffnSharedGate?: Weight;
  readonly ffnSharedUp?: Weight;
  readonly ffnSharedDown?: Weight;
}

/**
 * How a token's experts are chosen: those with the largest logits, of equals the first; with ffnRouterSelection or groups,
 * those with the largest probabilities (softmax or sigmoids) plus it.
 */
export interface ExpertsSpec {
  readonly count: number;
  readonly used: number;
  /**
   * Their outputs are weighted with the softmax of the logits of all experts, or of those chosen. The latter is also
   * what the former gives once the chosen weights are divided by their sum.
   */
  readonly weightsOver: 'all' | 'chosen';
  /** Sigmoids of the logits instead: as they are, or divided by the sum of those chosen, at least 2^-14. */
  readonly gating?: 'sigmoid';
  /** What the weights are multiplied with. */
  readonly scale?: number;
  /** Neighbours in equal parts, at least two a group: only experts of the groups with the best sums of two are chosen. */
  readonly groups?: { readonly count: number; readonly used: number };
}

export interface LayerSpec extends LayerWeights {
  /** Absent: queries and keys are not rotated. The same object for layers that are alike. */
  readonly rope?: RopeSpec;
  /** The newest positions that attention sees; absent: all. */
  readonly window?: number;
}

export interface ModelSpec {
  /** The file's stem as it is; never used as code or path without emit/names.ts. */
  readonly name: string;
  readonly architecture: string;
  readonly file: Pick<GgufFile, 'path' | 'bytes' | 'parts' | 'headerBytes' | 'headerSha256'>;
  readonly vocabSize: number;
  /** Positions the model was trained for. */
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly norm: 'rms' | 'layer';
  readonly normEpsilon: number;
  readonly activation: Activation;
  /** Attention and feed-forward both take the layer's input; else feed-forward takes what attention leaves. */
  readonly parallel?: true;
  /** Norms of heads come after the rope; else before. */
  readonly normsAfterRope?: true;
  /** Queries times keys are multiplied with it. */
  readonly attentionScale: number;
  /** cap * tanh(x / cap) of what attention scores, and of the logits. */
  readonly attentionSoftCap?: number;
  readonly logitSoftCap?: number;
  /** The embedding, what each half of a layer adds to the hidden state, and the logits are multiplied with these. */
  readonly embeddingScale?: number;
  readonly residualScale?: number;
  readonly logitScale?: number;
  /** Of the layers that have a router. */
  readonly experts?: ExpertsSpec;
  readonly tokenEmbedding: Weight;
  readonly outputNorm: Weight;
  readonly outputNormBias?: Weight;
  /** The same object as tokenEmbedding where the model ties them. */
  readonly output: Weight;
  readonly outputBias?: Weight;
  readonly layers: readonly LayerSpec[];
}
