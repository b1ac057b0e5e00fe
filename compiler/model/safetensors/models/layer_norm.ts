/** StableLM 2 and StarCoder 2, whose norms are LayerNorm. */
import { GELU, type ModelType, SILU, TIED, UNTIED } from './model_type.js';

export const stablelm: ModelType = {
  architecture: 'stablelm',
  partialRope: true,
  activation: SILU,
  defaults: { ...UNTIED, partial_rotary_factor: 0.25, layer_norm_eps: 1e-5 },
  own: (config) => {
    config.bool('use_qkv_bias');
    config.only('qk_layernorm', [false], 'LayerNorm of query and key heads');
    config.only('use_parallel_residual', [false], 'a parallel residual');
    return { keys: { 'attention.layer_norm_epsilon': config.number('layer_norm_eps') } };
  },
};

export const starcoder2: ModelType = {
  architecture: 'starcoder2',
  windowed: true,
  activation: GELU,
  defaults: { ...TIED, norm_epsilon: 1e-5 },
  own: (config) => {
    config.only('use_bias', [true], 'a model without biases');
    return { keys: { 'attention.layer_norm_epsilon': config.number('norm_epsilon') } };
  },
};
