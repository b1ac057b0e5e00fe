/** Command R, R7B and A. */
import type { ConfigReader } from '../config_reader.js';
import { type ModelType, type Own, positive, SILU } from './model_type.js';
import { patternedLayers, windowKeys, windowOf } from './windows.js';

const COHERE = {
  activation: SILU,
  adjacentPairs: true,
  defaults: { tie_word_embeddings: true, logit_scale: 0.0625, layer_norm_eps: 1e-5 },
} as const;

function cohereKeys(config: ConfigReader): NonNullable<Own['keys']> {
  config.only('attention_bias', [false], 'biases of attention');
  config.only('use_qk_norm', [false], 'LayerNorm of query and key heads');
  // In the publisher's own files, of the layers that are always so.
  config.only('use_parallel_block', [true], 'halves of a layer one after the other');
  config.only('use_gated_activation', [true], 'a feed-forward without a gate');
  config.only('position_embedding_type', ['rope_gptj'], 'other position embeddings');
  config.only('rotary_pct', [1], 'rope of a part of each head');
  config.only(
    'use_embedding_sharing',
    [config.bool('tie_word_embeddings') ?? true],
    'an output other than the embedding',
  );
  config.get('use_parallel_embedding');
  config.get('model_max_length');
  return {
    logit_scale: positive(config, 'logit_scale'),
    'attention.layer_norm_epsilon': config.number('layer_norm_eps'),
  };
}

/** transformers 4 and 5 see another base where config.json has none. */
function requireBase(config: ConfigReader): void {
  if (config.has('rope_theta')) return;
  const parameters = config.require('rope_theta', config.object('rope_parameters'));
  parameters.require('rope_theta', parameters.number('rope_theta'));
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
  own: (config, context) => {
    const isLocal = patternedLayers(config, context);
    config.require('sliding_window', windowOf(config, context, isLocal));
    config.only('order_of_interleaved_layers', ['local_attn_first'], 'another order of layers');
    config.get('layer_switch'); // sliding_window_pattern by its first name
    return {
      ...{ isLocal, turns: isLocal },
      keys: { ...cohereKeys(config), ...windowKeys(config, context, isLocal) },
    };
  },
};
