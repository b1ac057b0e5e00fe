/** Granite 3, dense and with experts. */
import { TENSORS_TELL } from '../rules.js';
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { expertKeys } from './routing.js';

export const granite: ModelType = {
  architecture: 'granite',
  activation: SILU,
  defaults: { ...UNTIED, max_position_embeddings: 2048 },
  rules: { attention_bias: TENSORS_TELL, mlp_bias: TENSORS_TELL },
  own: (config) => ({
    attentionScale: config.number('attention_multiplier') ?? 1,
    keys: {
      embedding_scale: config.number('embedding_multiplier'),
      logit_scale: config.number('logits_scaling'),
      residual_scale: config.number('residual_multiplier'),
    },
  }),
};

export const granitemoe: ModelType = {
  ...granite,
  architecture: 'granitemoe',
  defaults: { ...granite.defaults, num_local_experts: 8, num_experts_per_tok: 2 },
  rules: { ...granite.rules, norm_topk_prob: 'unused' }, // weights always add up to 1
  own: (config, context) => {
    const own = granite.own!(config, context);
    return { ...own, keys: { ...own.keys, ...expertKeys(config) } };
  },
};
