/** GLM 4 (0414), and GLM 4.5 and 4.6 with experts. */
import { TENSORS_TELL } from '../rules.js';
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { DEEPSEEK_RULES, deepseekKeys, weightsOf } from './routing.js';

export const glm4: ModelType = {
  ...{ architecture: 'glm4', activation: SILU, adjacentPairs: true, partialRope: true },
  defaults: {
    ...{ ...UNTIED, rms_norm_eps: 1.5625e-7, head_dim: 128, partial_rotary_factor: 0.5 },
    ...{ num_key_value_heads: 2, max_position_embeddings: 131072 },
  },
  rules: { attention_bias: TENSORS_TELL },
};

export const glm4moe: ModelType = {
  ...{ architecture: 'glm4moe', activation: SILU, partialRope: true },
  aliases: { num_local_experts: 'n_routed_experts' },
  defaults: {
    ...{ ...UNTIED, rms_norm_eps: 1e-5, partial_rotary_factor: 0.5 },
    ...{ num_key_value_heads: 8, max_position_embeddings: 131072 },
    ...{ first_k_dense_replace: 1, n_shared_experts: 1, n_routed_experts: 128 },
    ...{ moe_intermediate_size: 1408, num_experts_per_tok: 8, routed_scaling_factor: 1, norm_topk_prob: true },
  },
  rules: {
    ...DEEPSEEK_RULES,
    attention_bias: TENSORS_TELL,
    use_qk_norm: TENSORS_TELL,
    // Layers that guess ahead come after all others, and are left out.
    ...{ num_nextn_predict_layers: 'unused', num_mtp_layers: 'unused' },
  },
  own: (config, { layers }) => ({
    ...weightsOf(config),
    keys: deepseekKeys(config),
    isUnused: (tensor) => Number(/^model\.layers\.(\d{1,9})\./.exec(tensor)?.[1] ?? 0) >= layers,
  }),
};
