/** Qwen 2 and 2.5: biases on the query, key and value projections, and in some models on the logits. */
import { type Architecture, DECODER, DECODER_LAYER, optional, USUAL_QKV_BIASES, vector } from './architecture.js';

export const qwen2: Architecture = {
  name: 'qwen2',
  ropePairing: 'half',
  model: { ...DECODER, outputBias: optional(vector('output.bias', 'vocabulary')) },
  layer: { ...DECODER_LAYER, ...USUAL_QKV_BIASES },
};
