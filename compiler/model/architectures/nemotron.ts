/** Nemotron 3 and 4, Minitron: LayerNorm, a feed-forward of two matrices with the square of ReLU between, partial rope. */
import {
  type Architecture,
  LAYER_NORM_BIASES,
  LAYER_NORM_DECODER,
  OPTIONAL_BIASES,
  UNGATED_LAYER,
} from './architecture.js';

const { ffnGateBias: __, ...BIASES } = OPTIONAL_BIASES;

export const nemotron: Architecture = {
  name: 'nemotron',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'relu_sqr',
  model: LAYER_NORM_DECODER,
  layer: {
    ...UNGATED_LAYER,
    ...BIASES,
    ...LAYER_NORM_BIASES,
  },
};
