/** Nemotron 3 and 4, Minitron: LayerNorm, a feed-forward of two matrices with the square of ReLU between, partial rope. */
import { type Architecture, DECODER, DECODER_LAYER, OPTIONAL_BIASES, vector } from './architecture.js';

const { ffnGate: _, ...LAYER } = DECODER_LAYER;
const { ffnGateBias: __, ...BIASES } = OPTIONAL_BIASES;

export const nemotron: Architecture = {
  name: 'nemotron',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'relu_sqr',
  model: { ...DECODER, outputNormBias: vector('output_norm.bias', 'embedding') },
  layer: {
    ...LAYER,
    ...BIASES,
    attnNormBias: vector('attn_norm.bias', 'embedding'),
    ffnNormBias: vector('ffn_norm.bias', 'embedding'),
  },
};
