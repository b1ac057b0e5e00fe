/** CodeShell: LayerNorm, a feed-forward of two matrices with GELU between, biases; what is tied is the embedding. */
import {
  type Architecture,
  LAYER_NORM_BIASES,
  LAYER_NORM_DECODER,
  matrix,
  UNGATED_LAYER,
  vector,
} from './architecture.js';
import { OPTIONAL_STACKED_QKV_BIASES, STACKED_QKV } from './stacked_qkv.js';

const output = matrix('output.weight', 'vocabulary', 'embedding');

export const codeshell: Architecture = {
  name: 'codeshell',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'gelu',
  model: { ...LAYER_NORM_DECODER, tokenEmbedding: { ...output, otherwise: LAYER_NORM_DECODER.tokenEmbedding }, output },
  layer: {
    ...UNGATED_LAYER,
    ...STACKED_QKV,
    ...OPTIONAL_STACKED_QKV_BIASES,
    ...LAYER_NORM_BIASES,
    attnOutputBias: vector('attn_output.bias', 'embedding'),
    ffnUpBias: vector('ffn_up.bias', 'feedForward'),
    ffnDownBias: vector('ffn_down.bias', 'embedding'),
  },
};
