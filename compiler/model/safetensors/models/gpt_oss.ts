/** gpt-oss. */
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { expertKeys } from './routing.js';
import { localLayers, windowKeys } from './windows.js';

export const gptOss: ModelType = {
  ...{ architecture: 'gpt-oss', activation: SILU, windowed: true, mxfp4: true },
  defaults: { ...UNTIED, ...{ rms_norm_eps: 1e-5, rope_theta: 150000, head_dim: 64, sliding_window: 128 } },
  own: (config, context) => {
    // Where both are absent, the class has a YaRN of its own.
    if (!config.has('rope_parameters')) config.require('rope_scaling', config.get('rope_scaling'));
    config.only('attention_bias', [true], 'attention without biases');
    config.only('swiglu_limit', [7], 'another limit of SwiGLU');
    config.only('swiglu_alpha', [1.702], 'another slope of SwiGLU');
    config.uint('initial_context_length'); // the authors' name of original_max_position_embeddings
    const keys = expertKeys(config);
    config.only('experts_per_token', [keys.expert_used_count!], 'two numbers of experts');
    const isLocal = localLayers(config, context, (layer) => layer % 2 === 0);
    return { isLocal, keys: { ...keys, ...windowKeys(config, context, isLocal) } };
  },
};
