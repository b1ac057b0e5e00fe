/** Command R, R7B and A. */
import type { ConfigReader } from '../config_reader.js';
import { only, type Rules } from '../rules.js';
import { LAYER_NORM_RULES, type ModelType, type Own, positive, requireBase, SILU } from './model_type.js';
import { patternedLayers, windowKeys, windowOf } from './windows.js';

const QK_NORMS = only('LayerNorm of query and key heads', false);
const PARALLEL = only('halves of a layer one after the other', true);

const RULES: Rules = {
  ...LAYER_NORM_RULES,
  use_qk_norm: QK_NORMS,
  // In the publisher's own files, of the layers that are always so.
  ...{ use_parallel_block: PARALLEL, use_parallel_residual: PARALLEL, parallel_attn: PARALLEL },
  use_gated_activation: only('a feed-forward without a gate', true),
  position_embedding_type: only('other position embeddings', 'rope_gptj'),
  rotary_pct: only('rope of a part of each head', 1),
  use_parallel_embedding: 'unused',
};

const COHERE = {
  activation: SILU,
  epsilon: 'layer',
  adjacentPairs: true,
  rules: RULES,
  defaults: { tie_word_embeddings: true, logit_scale: 0.0625, layer_norm_eps: 1e-5, max_position_embeddings: 8192 },
} as const;

function cohereKeys(config: ConfigReader): NonNullable<Own['keys']> {
  const tied = config.bool('tie_word_embeddings') ?? false;
  config.only('use_embedding_sharing', [tied], 'an output other than the embedding');
  return { logit_scale: positive(config, 'logit_scale') };
}

export const cohere: ModelType = {
  ...COHERE,
  architecture: 'command-r',
  own: (config) => {
    requireBase(config);
    return { keys: cohereKeys(config) };
  },
};

export const cohere2: ModelType = {
  ...COHERE,
  architecture: 'cohere2',
  windowed: true,
  defaults: { ...COHERE.defaults, rope_theta: 10000, sliding_window: 4096, sliding_window_pattern: 4 },
  rules: {
    ...RULES,
    order_of_interleaved_layers: only('another order of layers', 'local_attn_first'),
    layer_switch: 'unused', // sliding_window_pattern by its first name
  },
  own: (config, context) => {
    const isLocal = patternedLayers(config, context);
    config.require('sliding_window', windowOf(config, context, isLocal));
    return {
      ...{ isLocal, hasRope: isLocal },
      keys: { ...cohereKeys(config), ...windowKeys(config, context, isLocal) },
    };
  },
};
