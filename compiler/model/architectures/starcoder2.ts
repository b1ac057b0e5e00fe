/** StarCoder 2: LayerNorm, a feed-forward of two matrices with GELU between, biases everywhere. */
import {
  type Architecture,
  LAYER_NORM_BIASES,
  LAYER_NORM_DECODER,
  OPTIONAL_BIASES,
  UNGATED_LAYER,
  USUAL_QKV_BIASES,
  vector,
} from './architecture.js';

export const starcoder2: Architecture = {
  name: 'starcoder2',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'gelu',
  model: LAYER_NORM_DECODER,
  layer: {
    ...UNGATED_LAYER,
    ...USUAL_QKV_BIASES,
    ...LAYER_NORM_BIASES,
    attnOutputBias: OPTIONAL_BIASES.attnOutputBias,
    ffnUpBias: vector('ffn_up.bias', 'feedForward'),
    ffnDownBias: vector('ffn_down.bias', 'embedding'),
  },
};
