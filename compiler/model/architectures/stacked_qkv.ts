/** One matrix for q, k and v and one vector for their biases; or a matrix and a vector of each. */
import { DECODER_LAYER, optional, QKV_BIASES, stacked, type TensorRule } from './architecture.js';

const SIZES = { q: 'query', k: 'keyValue', v: 'keyValue' } as const;
const [attnQ, attnK, attnV] = stacked('attn_qkv.weight', SIZES, 'embedding') as [TensorRule, TensorRule, TensorRule];
const ofVector = ({ rows, part }: TensorRule): TensorRule => ({
  name: 'attn_qkv.bias',
  rows: 1,
  cols: rows as Exclude<typeof rows, 1>,
  kind: 'vector',
  optional: false,
  part: part!,
});

export const STACKED_QKV = {
  attnQ: { ...attnQ, otherwise: DECODER_LAYER.attnQ },
  attnK: { ...attnK, otherwise: DECODER_LAYER.attnK },
  attnV: { ...attnV, otherwise: DECODER_LAYER.attnV },
} as const;

export const STACKED_QKV_BIASES = {
  attnQBias: { ...ofVector(attnQ), otherwise: QKV_BIASES.attnQBias },
  attnKBias: { ...ofVector(attnK), otherwise: QKV_BIASES.attnKBias },
  attnVBias: { ...ofVector(attnV), otherwise: QKV_BIASES.attnVBias },
} as const;

export const OPTIONAL_STACKED_QKV_BIASES = {
  attnQBias: optional(STACKED_QKV_BIASES.attnQBias),
  attnKBias: optional(STACKED_QKV_BIASES.attnKBias),
  attnVBias: optional(STACKED_QKV_BIASES.attnVBias),
} as const;
