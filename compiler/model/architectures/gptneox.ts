/** GPT-NeoX and Pythia: LayerNorm, a feed-forward of two matrices with GELU between, biases; its halves may be side by side. */
import { type Architecture, LAYER_NORM_BIASES, LAYER_NORM_DECODER, UNGATED_LAYER, vector } from './architecture.js';
import { STACKED_QKV, STACKED_QKV_BIASES } from './stacked_qkv.js';

export const gptneox: Architecture = {
  name: 'gptneox',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'gelu',
  keys: ['use_parallel_residual'],
  features: (keys) => ({ parallel: (keys.bool('use_parallel_residual') ?? true) || undefined }),
  model: LAYER_NORM_DECODER,
  layer: {
    ...UNGATED_LAYER,
    ...STACKED_QKV,
    ...STACKED_QKV_BIASES,
    attnOutputBias: vector('attn_output.bias', 'embedding'),
    ...LAYER_NORM_BIASES,
    ffnUpBias: vector('ffn_up.bias', 'feedForward'),
    ffnDownBias: vector('ffn_down.bias', 'embedding'),
  },
};
