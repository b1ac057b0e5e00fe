/** StableLM 2: LayerNorm, and only a part of each head turns. The 12B model, with parallel halves, has no ffn_norm. */
import { type Architecture, DECODER_LAYER, LAYER_NORM_BIASES, LAYER_NORM_DECODER } from './architecture.js';

export const stablelm: Architecture = {
  name: 'stablelm',
  ropePairing: 'half',
  norm: 'layer',
  // llama.cpp's converter writes true where nothing said so; the tensors tell.
  keys: ['use_parallel_residual'],
  model: LAYER_NORM_DECODER,
  layer: {
    ...DECODER_LAYER,
    ...LAYER_NORM_BIASES,
  },
};
