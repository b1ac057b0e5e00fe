/** ERNIE 4.5, dense and with experts. */
import { type ModelType, SILU, TIED } from './model_type.js';

export const ernie4_5: ModelType = {
  ...{ architecture: 'ernie4_5', activation: SILU, adjacentPairs: true },
  defaults: { ...TIED, rms_norm_eps: 1e-5, rope_theta: 500000, head_dim: 128 },
  own: (config) => {
    config.only('use_bias', [false], 'biases');
    config.only('use_rmsnorm', [true], 'other norms');
    config.only('is_quantized', [false], 'a model that is quantized already');
    return {};
  },
};

export const ernie4_5_moe: ModelType = {
  ...ernie4_5,
  architecture: 'ernie4_5-moe',
  // Where it does not say head_dim, that is what heads share of the embedding.
  defaults: {
    ...{ ...TIED, rms_norm_eps: 1e-5, rope_theta: 500000 },
    ...{ moe_num_experts: 64, moe_k: 6, moe_num_shared_experts: 2, moe_intermediate_size: 1536 },
    ...{ moe_layer_start_index: 1, moe_layer_interval: 1 },
  },
  own: (config, context) => {
    ernie4_5.own!(config, context);
    config.only('moe_layer_end_index', [-1, context.layers - 1], 'dense layers after those with experts');
    config.only('moe_norm_min', [1e-12], 'another least sum of weights');
    config.only('moe_gate', ['topk'], 'another choice of experts');
    config.get('moe_capacity');
    config.get('moe_use_aux_free'); // the tensors tell
    config.uint('num_nextn_predict_layers'); // they guess ahead, and are left out
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
