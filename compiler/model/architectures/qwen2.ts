/** Qwen 2 and 2.5: biases on the query, key and value projections. */
import { type Architecture, DECODER, DECODER_LAYER, QKV_BIASES } from './architecture.js';

export const qwen2: Architecture = {
  name: 'qwen2',
  ropePairing: 'half',
  model: DECODER,
  layer: { ...DECODER_LAYER, ...QKV_BIASES },
};
