/** How many experts there are, and how those chosen are weighted, as config.json says it. */
import type { ConfigReader } from '../config_reader.js';
import { only, type Rules } from '../rules.js';
import { type Context, type Own, positive } from './model_type.js';

/** Whether the weights of those chosen add up to 1. */
export const weightsOf = (config: ConfigReader): Pick<Own, 'weightsOver'> => ({
  weightsOver: config.bool('norm_topk_prob') ? 'chosen' : 'all',
});

/** How many there are and how many are chosen. */
export function expertKeys(config: ConfigReader): NonNullable<Own['keys']> {
  const count = config.uint('num_experts');
  return {
    expert_count: count ?? config.require('num_local_experts', config.uint('num_local_experts')),
    expert_used_count: config.require('num_experts_per_tok', config.uint('num_experts_per_tok')),
  };
}

/** `expert_gating_func` of weights that are sigmoids. */
export const SIGMOID = 2;

/** Of models with deepseekKeys(). */
export const DEEPSEEK_RULES: Rules = {
  scoring_func: only('weights of experts by other than sigmoids', 'sigmoid', 'noaux_tc'),
  topk_method: only('another choice of experts', 'noaux_tc'),
};

/** DeepSeek's names, in models that weight experts by sigmoids, after dense layers, and have shared ones. */
export function deepseekKeys(config: ConfigReader): NonNullable<Own['keys']> {
  const count = (key: string) => config.require(key, config.uint(key));
  return {
    expert_count: count('n_routed_experts'),
    expert_used_count: count('num_experts_per_tok'),
    expert_feed_forward_length: count('moe_intermediate_size'),
    expert_shared_count: count('n_shared_experts'),
    expert_weights_scale: positive(config, 'routed_scaling_factor'),
    expert_gating_func: SIGMOID,
    leading_dense_block_count: count('first_k_dense_replace'),
  };
}

/** A number, or a list of the same one for every layer. Errors: UnsupportedError where layers differ. */
export function alike(config: ConfigReader, { layers }: Context, key: string): number | undefined {
  if (!Array.isArray(config.get(key))) return config.uint(key);
  const values = config.numbers(key)!;
  const [first] = values;
  if (values.length !== layers) config.fail(key, `expected one of each of ${layers} layers, found ${values.length}`);
  if (!Number.isSafeInteger(first) || values.some((value) => value !== first))
    config.refuse(key, 'layers with other experts than others', 'must be one unsigned integer for all layers');
  return first;
}
