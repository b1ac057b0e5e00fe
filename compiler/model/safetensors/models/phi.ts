/** Phi 1, 1.5 and 2; 3 and 4. */
import { GELU, type ModelType, SILU, UNTIED } from './model_type.js';

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

export const phi: ModelType = {
  ...{ architecture: 'phi2', activation: GELU, exactGelu: true, partialRope: true },
  defaults: { tie_word_embeddings: false, rope_theta: 10000, partial_rotary_factor: 0.5, layer_norm_eps: 1e-5 },
  own: (config) => {
    config.only('qk_layernorm', [false], 'LayerNorm of query and key heads');
    return { keys: { 'attention.layer_norm_epsilon': config.number('layer_norm_eps') } };
  },
};
