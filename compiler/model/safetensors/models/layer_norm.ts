/** StableLM 2, StarCoder 2 and Nemotron, whose norms are LayerNorm. */
import { GELU, type ModelType, RELU_SQR, SILU, TIED, UNTIED } from './model_type.js';

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
  exactGelu: true,
  windowed: true,
  activation: GELU,
  defaults: { ...TIED, norm_epsilon: 1e-5 },
  own: (config) => {
    config.only('use_bias', [true], 'a model without biases');
    return { keys: { 'attention.layer_norm_epsilon': config.number('norm_epsilon') } };
  },
};

export const nemotron: ModelType = {
  ...{ architecture: 'nemotron', activation: RELU_SQR, partialRope: true, normPlusOne: true },
  defaults: { tie_word_embeddings: false, rope_theta: 10000, partial_rotary_factor: 0.5, norm_eps: 1e-5 },
  own: (config, { headSize }) => {
    config.bool('attention_bias');
    config.bool('mlp_bias');
    config.only('kv_channels', [headSize], 'two sizes of heads');
    return { keys: { 'attention.layer_norm_epsilon': config.number('norm_eps') } };
  },
};
