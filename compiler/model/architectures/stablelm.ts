/**
 * StableLM 2: LayerNorm, and only a part of each head is rotated. Without ffn_norm its halves are side by side on one norm, as in
 * the 12B model, whose norms of heads are not supported.
 */
import { type Architecture, DECODER_LAYER, LAYER_NORM_BIASES, LAYER_NORM_DECODER } from './architecture.js';

export const stablelm: Architecture = {
  name: 'stablelm',
  ropePairing: 'half',
  norm: 'layer',
  // llama.cpp's converter writes true where nothing said so; the tensors tell.
  keys: ['use_parallel_residual'],
  features: (_, __, has) => ({ parallel: has('blk.0.ffn_norm.weight') ? undefined : true }),
  model: LAYER_NORM_DECODER,
  layer: {
    ...DECODER_LAYER,
    ...LAYER_NORM_BIASES,
    ffnNorm: { ...DECODER_LAYER.attnNorm, otherwise: DECODER_LAYER.ffnNorm },
    ffnNormBias: { ...LAYER_NORM_BIASES.attnNormBias, otherwise: LAYER_NORM_BIASES.ffnNormBias },
  },
};
