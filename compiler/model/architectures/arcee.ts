/** Arcee AFM: Llama with a feed-forward of two matrices, the square of ReLU between. */
import { type Architecture, DECODER, ROPE_FACTORS, UNGATED_LAYER } from './architecture.js';

export const arcee: Architecture = {
  name: 'arcee',
  ropePairing: 'adjacent',
  activation: 'relu_sqr',
  model: { ...DECODER, ...ROPE_FACTORS },
  layer: UNGATED_LAYER,
};
