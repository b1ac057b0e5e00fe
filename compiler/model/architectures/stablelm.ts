/** StableLM 2: LayerNorm, and only a part of each head turns. The 12B model, with parallel halves, has no ffn_norm. */
import { type Architecture, DECODER, DECODER_LAYER, vector } from './architecture.js';

export const stablelm: Architecture = {
  name: 'stablelm',
  ropePairing: 'half',
  norm: 'layer',
  // llama.cpp's converter writes true where nothing said so; the tensors tell.
  keys: ['use_parallel_residual'],
  model: { ...DECODER, outputNormBias: vector('output_norm.bias', 'embedding') },
  layer: {
    ...DECODER_LAYER,
    attnNormBias: vector('attn_norm.bias', 'embedding'),
    ffnNormBias: vector('ffn_norm.bias', 'embedding'),
  },
};
