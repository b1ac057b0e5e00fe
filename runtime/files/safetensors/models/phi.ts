/** Phi 1, 1.5 and 2; 3 and 4. */
import { only } from '../rules.js';
import { GELU, LAYER_NORM_RULES, type ModelType, SILU, UNTIED } from './model_type.js';

export const phi3: ModelType = {
  ...{ architecture: 'phi3', activation: SILU, partialRope: true, windowed: true },
  defaults: { ...UNTIED, rms_norm_eps: 1e-5, max_position_embeddings: 4096 },
};

export const phi: ModelType = {
  ...{ architecture: 'phi2', activation: GELU, exactGelu: true, epsilon: 'layer', partialRope: true },
  defaults: {
    ...{ tie_word_embeddings: false, rope_theta: 10000, partial_rotary_factor: 0.5, layer_norm_eps: 1e-5 },
    max_position_embeddings: 2048,
  },
  rules: {
    ...LAYER_NORM_RULES,
    qk_layernorm: only('LayerNorm of query and key heads', false),
    attention_bias: only('attention without biases', true),
    mlp_bias: only('a feed-forward without biases', true),
    lm_head_bias: only('logits without a bias', true),
    use_parallel_residual: only('halves of a layer one after the other', true),
    parallel_attn: only('halves of a layer one after the other', true),
  },
};
