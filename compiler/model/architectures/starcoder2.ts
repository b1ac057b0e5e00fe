/** StarCoder 2: LayerNorm, a feed-forward of two matrices with GELU between, biases everywhere. */
import { type Architecture, DECODER, DECODER_LAYER, OPTIONAL_BIASES, QKV_BIASES, vector } from './architecture.js';

const { ffnGate: _, ...LAYER } = DECODER_LAYER;

export const starcoder2: Architecture = {
  name: 'starcoder2',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'gelu',
  model: { ...DECODER, outputNormBias: vector('output_norm.bias', 'embedding') },
  layer: {
    ...LAYER,
    ...QKV_BIASES,
    attnNormBias: vector('attn_norm.bias', 'embedding'),
    ffnNormBias: vector('ffn_norm.bias', 'embedding'),
    attnOutputBias: OPTIONAL_BIASES.attnOutputBias,
    ffnUpBias: vector('ffn_up.bias', 'feedForward'),
    ffnDownBias: vector('ffn_down.bias', 'embedding'),
  },
};
