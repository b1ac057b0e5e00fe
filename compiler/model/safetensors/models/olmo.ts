/** OLMo 2 and 3, and OLMoE. */
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { expertKeys, weightsOf } from './routing.js';
import { localLayers, windowKeys } from './windows.js';

export const olmo2: ModelType = {
  architecture: 'olmo2',
  activation: SILU,
  defaults: { ...UNTIED, rms_norm_eps: 1e-5 },
  own: (config) => {
    config.only('attention_bias', [false], 'biases of attention');
    return {};
  },
};

export const olmo3: ModelType = {
  ...olmo2,
  localRope: true,
  windowed: true,
  defaults: { ...olmo2.defaults, sliding_window: 4096 },
  own: (config, context) => {
    olmo2.own!(config, context);
    const isLocal = localLayers(config, context, (layer) => (layer + 1) % 4 !== 0);
    return { isLocal, keys: windowKeys(config, context, isLocal) };
  },
};

export const olmoe: ModelType = {
  ...{ architecture: 'olmoe', activation: SILU, defaults: { ...UNTIED, rms_norm_eps: 1e-5 } },
  own: (config) => {
    config.only('attention_bias', [false], 'biases of attention');
    config.only('clip_qkv', [], 'clamping of queries, keys and values');
    return { ...weightsOf(config), keys: expertKeys(config) };
  },
};
