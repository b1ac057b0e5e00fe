/**
 * Falcon: its halves side by side on one LayerNorm (7B) or one of each (40B), a feed-forward of two matrices with GELU
 * between.
 */
import { type Architecture, LAYER_NORM_BIASES, LAYER_NORM_DECODER, UNGATED_LAYER, vector } from './architecture.js';
import { STACKED_QKV } from './stacked_qkv.js';

export const falcon: Architecture = {
  name: 'falcon',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'gelu',
  features: () => ({ parallel: true }),
  model: LAYER_NORM_DECODER,
  layer: {
    ...UNGATED_LAYER,
    ...STACKED_QKV,
    attnNorm: { ...UNGATED_LAYER.attnNorm, otherwise: vector('attn_norm_2.weight', 'embedding') },
    attnNormBias: { ...LAYER_NORM_BIASES.attnNormBias, otherwise: vector('attn_norm_2.bias', 'embedding') },
    ffnNorm: vector('attn_norm.weight', 'embedding'),
    ffnNormBias: LAYER_NORM_BIASES.attnNormBias,
  },
};
