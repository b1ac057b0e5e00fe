/** GPT-NeoX and Pythia: LayerNorm, a feed-forward of two matrices with GELU between, biases; its halves may be side by side. */
import { type Architecture, DECODER, DECODER_LAYER, vector } from './architecture.js';
import { STACKED_QKV, STACKED_QKV_BIASES } from './stacked_qkv.js';

const { ffnGate: _, ...LAYER } = DECODER_LAYER;

export const gptneox: Architecture = {
  name: 'gptneox',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'gelu',
  keys: ['use_parallel_residual'],
  features: (keys) => ({ parallel: keys.bool('use_parallel_residual') || undefined }),
  model: { ...DECODER, outputNormBias: vector('output_norm.bias', 'embedding') },
  layer: {
    ...LAYER,
    ...STACKED_QKV,
    ...STACKED_QKV_BIASES,
    attnNormBias: vector('attn_norm.bias', 'embedding'),
    attnOutputBias: vector('attn_output.bias', 'embedding'),
    ffnNormBias: vector('ffn_norm.bias', 'embedding'),
    ffnUpBias: vector('ffn_up.bias', 'feedForward'),
    ffnDownBias: vector('ffn_down.bias', 'embedding'),
  },
};
