/** Phi 3 and 4. */
import { type ModelType, SILU, UNTIED } from './model_type.js';

export const phi3: ModelType = {
  architecture: 'phi3',
  partialRope: true,
  windowed: true,
  activation: SILU,
  defaults: { ...UNTIED, rms_norm_eps: 1e-5 },
  own: (config) => {
    config.uint('original_max_position_embeddings'); // longrope's
    config.only('attention_bias', [false], 'biases of attention');
    config.only('mlp_bias', [false], 'biases of the feed-forward');
    return {};
  },
};
