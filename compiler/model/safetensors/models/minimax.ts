/** MiniMax M2. */
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { expertKeys, SIGMOID } from './routing.js';

/** In the publisher's own files, of layers that no such model has, and of those that guess ahead. */
const UNUSED = ['mlp_intermediate_size', 'shared_moe_mode', 'use_mtp', 'num_mtp_modules', 'mtp_transformer_layers'];

export const minimaxM2: ModelType = {
  ...{ architecture: 'minimax-m2', activation: SILU, partialRope: true },
  defaults: { ...UNTIED, rope_theta: 5e6, head_dim: 128, num_local_experts: 256, num_experts_per_tok: 8 },
  own: (config, { headSize, layers }) => {
    config.only('attention_bias', [false], 'biases of attention');
    config.only('tie_word_embeddings', [false], 'an output that is the embedding');
    // There too, of what is always so.
    config.only('use_qk_norm', [true], 'attention without norms');
    config.only('qk_norm_type', ['per_layer'], 'norms of each head');
    config.only('use_routing_bias', [true], 'a choice of experts without a bias');
    config.only('scoring_func', ['sigmoid'], 'weights of experts by other than sigmoids');
    config.only('shared_intermediate_size', [0], 'a shared expert');
    config.only('attn_type_list', [Array(layers).fill(1)], 'linear attention');
    for (const kind of ['full_attention', 'linear_attention', 'mlp'])
      config.only(`layernorm_${kind}_beta`, [1], 'a scale of the residual');
    for (const key of UNUSED) config.get(key);
    const rotary = config.uint('rotary_dim');
    if (rotary) config.only('partial_rotary_factor', [rotary / headSize], 'rope of two parts of each head');
    return {
      rope: { partial: rotary && rotary / headSize },
      keys: { ...expertKeys(config), expert_gating_func: SIGMOID },
    };
  },
};
