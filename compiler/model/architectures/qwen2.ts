/** Qwen 2 and 2.5: biases on the query, key and value projections. */
import { type Architecture, DECODER, DECODER_LAYER, vector } from './architecture.js';

export const qwen2: Architecture = {
  name: 'qwen2',
  ropePairing: 'half',
  model: DECODER,
  layer: {
    ...DECODER_LAYER,
    attnQBias: vector('attn_q.bias', 'query'),
    attnKBias: vector('attn_k.bias', 'keyValue'),
    attnVBias: vector('attn_v.bias', 'keyValue'),
  },
};
