/** gpt-oss. */
import { only } from '../rules.js';
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { expertKeys } from './routing.js';
import { localLayers, windowKeys } from './windows.js';

export const gptOss: ModelType = {
  ...{ architecture: 'gpt-oss', activation: SILU, windowed: true, mxfp4: true },
  aliases: { num_experts: 'num_local_experts' },
  defaults: {
    ...{ ...UNTIED, rms_norm_eps: 1e-5, rope_theta: 150000, head_dim: 64, sliding_window: 128 },
    ...{ num_key_value_heads: 8, max_position_embeddings: 131072, num_local_experts: 128, num_experts_per_tok: 4 },
  },
  rules: {
    attention_bias: only('attention without biases', true),
    swiglu_limit: only('another limit of SwiGLU', 7),
    swiglu_alpha: only('another slope of SwiGLU', 1.702),
    attention_sinks: only('attention without sinks', true),
    norm_topk_prob: 'unused', // weights always add up to 1
    initial_context_length: 'unused', // the authors' name of original_max_position_embeddings
  },
  own: (config, context) => {
    // Where both are absent, the class has a YaRN of its own.
    if (!config.has('rope_parameters')) config.require('rope_scaling', config.get('rope_scaling'));
    const keys = expertKeys(config);
    config.only('experts_per_token', [keys.expert_used_count!], 'two numbers of experts');
    const isLocal = localLayers(config, context, (layer) => layer % 2 === 0);
    return { isLocal, keys: { ...keys, ...windowKeys(config, context, isLocal) } };
  },
};
