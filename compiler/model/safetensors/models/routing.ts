/** How many experts there are, and how those chosen are weighted, as config.json says it. */
import type { ConfigReader } from '../config_reader.js';
import type { Own } from './model_type.js';

/** Whether the weights of those chosen add up to 1. */
export const weightsOf = (config: ConfigReader): Pick<Own, 'weightsOver'> => ({
  weightsOver: config.bool('norm_topk_prob') ? 'chosen' : 'all',
});

/** How many experts, and that they are in every layer. */
export function expertKeys(config: ConfigReader): NonNullable<Own['keys']> {
  config.get('norm_topk_prob'); // weightsOf()'s, and nobody's in models whose weights always add up to 1
  config.only('decoder_sparse_step', [1], 'dense layers beside those with experts');
  config.only('mlp_only_layers', [[]], 'dense layers beside those with experts');
  const count = config.uint('num_experts');
  return {
    expert_count: count ?? config.require('num_local_experts', config.uint('num_local_experts')),
    expert_used_count: config.require('num_experts_per_tok', config.uint('num_experts_per_tok')),
  };
}
