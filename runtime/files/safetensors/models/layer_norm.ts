/** StableLM 2, StarCoder 2 and Nemotron, whose norms are LayerNorm. */
import { only, TENSORS_TELL } from '../rules.js';
import { GELU, LAYER_NORM_RULES, type ModelType, RELU_SQR, SILU, TIED, UNTIED } from './model_type.js';

export const stablelm: ModelType = {
  ...{ architecture: 'stablelm', activation: SILU, epsilon: 'layer', partialRope: true },
  defaults: {
    ...{ ...UNTIED, partial_rotary_factor: 0.25, layer_norm_eps: 1e-5 },
    ...{ num_key_value_heads: 32, max_position_embeddings: 4096 },
  },
  rules: {
    ...LAYER_NORM_RULES,
    use_qkv_bias: TENSORS_TELL,
    qk_layernorm: only('LayerNorm of query and key heads', false),
  },
};

export const starcoder2: ModelType = {
  ...{ architecture: 'starcoder2', activation: GELU, exactGelu: true, epsilon: 'starcoder2', windowed: true },
  defaults: { ...TIED, norm_epsilon: 1e-5, num_key_value_heads: 2, max_position_embeddings: 4096 },
  rules: {
    ...LAYER_NORM_RULES,
    use_bias: only('a model without biases', true),
    mlp_type: only('another feed-forward', 'default'),
    norm_type: only('other norms', 'layer_norm'),
  },
};

export const nemotron: ModelType = {
  ...{ architecture: 'nemotron', activation: RELU_SQR, epsilon: 'nemotron', partialRope: true, normPlusOne: true },
  defaults: {
    ...{ tie_word_embeddings: false, rope_theta: 10000, partial_rotary_factor: 0.5, norm_eps: 1e-5 },
    max_position_embeddings: 4096,
  },
  rules: { ...LAYER_NORM_RULES, attention_bias: TENSORS_TELL, mlp_bias: TENSORS_TELL },
};
