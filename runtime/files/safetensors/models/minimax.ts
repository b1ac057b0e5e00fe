/** MiniMax M2. */
import { only, type Rules } from '../rules.js';
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { expertKeys, SIGMOID } from './routing.js';

const NO_SCALE = only('a scale of the residual', 1);

/** In the publisher's own files, of what is always so. */
const PUBLISHED: Rules = {
  use_qk_norm: only('attention without norms', true),
  qk_norm_type: only('norms of each head', 'per_layer'),
  use_routing_bias: only('a choice of experts without a bias', true),
  scoring_func: only('weights of experts by other than sigmoids', 'sigmoid'),
  shared_intermediate_size: only('a shared expert', 0),
  ...{
    layernorm_full_attention_beta: NO_SCALE,
    layernorm_linear_attention_beta: NO_SCALE,
    layernorm_mlp_beta: NO_SCALE,
  },
  // Of layers that no such model has, and of those that guess ahead, which are left out.
  ...{ mlp_intermediate_size: 'unused', shared_moe_mode: 'unused', use_mtp: 'unused', num_mtp_modules: 'unused' },
  mtp_transformer_layers: 'unused',
};

export const minimaxM2: ModelType = {
  ...{ architecture: 'minimax-m2', activation: SILU, partialRope: true },
  aliases: { num_experts: 'num_local_experts' },
  defaults: {
    ...{ ...UNTIED, rope_theta: 5e6, head_dim: 128, num_local_experts: 256, num_experts_per_tok: 8 },
    ...{ num_key_value_heads: 8, max_position_embeddings: 196608 },
  },
  rules: { ...PUBLISHED, norm_topk_prob: only('weights of experts that do not add up to 1', true) },
  own: (config, { headSize, layers }) => {
    config.only('tie_word_embeddings', [false], 'an output that is the embedding');
    config.only('attn_type_list', [Array(layers).fill(1)], 'linear attention');
    const rotary = config.uint('rotary_dim');
    if (rotary) config.only('partial_rotary_factor', [rotary / headSize], 'rope of two parts of each head');
    return {
      rope: { partial: rotary && rotary / headSize },
      keys: { ...expertKeys(config), expert_gating_func: SIGMOID },
    };
  },
};
