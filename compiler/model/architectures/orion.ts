/** Orion: Llama with LayerNorm. */
import { type Architecture, DECODER_LAYER, LAYER_NORM_BIASES, LAYER_NORM_DECODER } from './architecture.js';

export const orion: Architecture = {
  name: 'orion',
  ropePairing: 'half',
  norm: 'layer',
  model: LAYER_NORM_DECODER,
  layer: {
    ...DECODER_LAYER,
    ...LAYER_NORM_BIASES,
  },
};
