/** ERNIE 4.5, dense and with experts. */
import { only, type Rules } from '../rules.js';
import { type ModelType, SILU, TIED } from './model_type.js';

/** In the publisher's own files. */
const PUBLISHED: Rules = {
  weight_share_add_bias: 'unused', // of biases, which there are none
};

export const ernie4_5: ModelType = {
  ...{ architecture: 'ernie4_5', activation: SILU, adjacentPairs: true },
  defaults: {
    ...{ ...TIED, rms_norm_eps: 1e-5, rope_theta: 500000, head_dim: 128 },
    ...{ num_key_value_heads: 2, max_position_embeddings: 131072 },
  },
  rules: PUBLISHED,
};

export const ernie4_5_moe: ModelType = {
  ...ernie4_5,
  architecture: 'ernie4_5-moe',
  aliases: { num_experts: 'moe_num_experts', num_experts_per_tok: 'moe_k' },
  // Where it does not say head_dim, that is what heads share of the embedding.
  defaults: {
    ...{ ...TIED, rms_norm_eps: 1e-5, rope_theta: 500000, num_key_value_heads: 4, max_position_embeddings: 131072 },
    ...{ moe_num_experts: 64, moe_k: 6, moe_num_shared_experts: 2, moe_intermediate_size: 1536 },
    ...{ moe_layer_start_index: 1, moe_layer_interval: 1 },
  },
  rules: {
    ...PUBLISHED,
    use_moe: only('a model without experts', true),
    moe_norm_min: only('another least sum of weights', 1e-12),
    moe_gate: only('another choice of experts', 'topk'),
    moe_gate_act: only('weights of experts by other than softmax', 'softmax'),
    moe_norm_gate_logits: only('weights of experts that do not add up to 1', true),
    ...{ moe_group_experts: only('experts in groups', false), moe_use_hard_gate: only('a hard gate', false) },
    moe_use_aux_free: 'unused', // the tensors tell
    num_nextn_predict_layers: 'unused', // they guess ahead, and are left out
    ...{ multi_token_pred_lambda: 'unused', moe_multimodal_dispatch_use_allgather: 'unused' },
  },
  own: (config, { layers }) => {
    config.only('moe_layer_end_index', [-1, layers - 1], 'dense layers after those with experts');
    const count = (key: string) => config.require(key, config.uint(key));
    const width = count('moe_intermediate_size');
    return {
      isUnused: (tensor) => /^model\.mtp_/.test(tensor),
      keys: {
        expert_count: count('moe_num_experts'),
        expert_used_count: count('moe_k'),
        expert_feed_forward_length: width,
        expert_shared_feed_forward_length: width * count('moe_num_shared_experts'),
        leading_dense_block_count: count('moe_layer_start_index'),
        interleave_moe_layer_step: count('moe_layer_interval'),
      },
    };
  },
};
