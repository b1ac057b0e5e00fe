/** Arcee AFM: Llama with a feed-forward of two matrices, the square of ReLU between. */
import { type Architecture, DECODER, DECODER_LAYER, ROPE_FACTORS } from './architecture.js';

const { ffnGate: _, ...LAYER } = DECODER_LAYER;

export const arcee: Architecture = {
  name: 'arcee',
  ropePairing: 'adjacent',
  activation: 'relu_sqr',
  model: { ...DECODER, ...ROPE_FACTORS },
  layer: LAYER,
};
