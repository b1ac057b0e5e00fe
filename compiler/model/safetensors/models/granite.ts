/** Granite 3, dense and with experts. */
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { expertKeys } from './routing.js';

export const granite: ModelType = {
  architecture: 'granite',
  activation: SILU,
  defaults: UNTIED,
  own: (config) => {
    config.bool('attention_bias');
    config.bool('mlp_bias');
    return {
      attentionScale: config.number('attention_multiplier') ?? 1,
      keys: {
        embedding_scale: config.number('embedding_multiplier'),
        logit_scale: config.number('logits_scaling'),
        residual_scale: config.number('residual_multiplier'),
      },
    };
  },
};

export const granitemoe: ModelType = {
  ...granite,
  architecture: 'granitemoe',
  own: (config, context) => {
    const own = granite.own!(config, context);
    return { ...own, keys: { ...own.keys, ...expertKeys(config) } };
  },
};
