/** Jais 2: LayerNorm, a feed-forward of two matrices with the square of ReLU between, and biases everywhere. */
import { type Architecture, vector } from './architecture.js';
import { nemotron } from './nemotron.js';

export const jais2: Architecture = {
  ...nemotron,
  name: 'jais2',
  layer: {
    ...nemotron.layer!,
    attnOutputBias: vector('attn_output.bias', 'embedding'),
    ffnUpBias: vector('ffn_up.bias', 'feedForward'),
    ffnDownBias: vector('ffn_down.bias', 'embedding'),
  },
};
