/** openPangu Embedded: biases on all of attention's projections. */
import { type Architecture, DECODER, DECODER_LAYER, USUAL_QKV_BIASES, vector } from './architecture.js';

export const panguEmbedded: Architecture = {
  name: 'pangu-embedded',
  ropePairing: 'half',
  model: DECODER,
  layer: { ...DECODER_LAYER, ...USUAL_QKV_BIASES, attnOutputBias: vector('attn_output.bias', 'embedding') },
};
