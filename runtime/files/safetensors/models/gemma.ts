/** Gemma 1, 2 and 3. */
import type { ConfigReader } from '../config_reader.js';
import { GELU, type ModelType, TIED } from './model_type.js';
import { localLayers, windowKeys } from './windows.js';

/** The constant under the root, 1 / sqrt(it). */
function queryScale(config: ConfigReader): number {
  const scalar = config.number('query_pre_attn_scalar') ?? 256;
  if (!(scalar > 0)) config.fail('query_pre_attn_scalar', `expected a number above 0, found ${scalar}`);
  return 1 / Math.sqrt(scalar);
}

export const gemma: ModelType = {
  architecture: 'gemma',
  activation: GELU,
  defaults: { ...TIED, head_dim: 256, num_key_value_heads: 16, max_position_embeddings: 8192 },
  normPlusOne: true,
};

export const gemma2: ModelType = {
  ...gemma,
  architecture: 'gemma2',
  windowed: true,
  defaults: {
    ...{ ...TIED, head_dim: 256, sliding_window: 4096, num_key_value_heads: 4, max_position_embeddings: 8192 },
    ...{ attn_logit_softcapping: 50, final_logit_softcapping: 30 },
  },
  own: (config, context) => {
    return {
      isLocal: localLayers(config, context, (layer) => layer % 2 === 0),
      attentionScale: queryScale(config),
      keys: {
        attn_logit_softcapping: config.number('attn_logit_softcapping') ?? 0,
        final_logit_softcapping: config.number('final_logit_softcapping') ?? 0,
      },
    };
  },
};

/** Every so many layers one has no window; transformers 4 saved it by the second name. */
function readPeriod(config: ConfigReader): number {
  const period = config.uint('sliding_window_pattern') ?? config.uint('_sliding_window_pattern') ?? 6;
  if (period === 0) config.fail('sliding_window_pattern', 'expected a number above 0, found 0');
  config.only('_sliding_window_pattern', [period], 'two patterns of windows');
  return period;
}

export const gemma3: ModelType = {
  ...gemma,
  architecture: 'gemma3',
  windowed: true,
  localRope: true,
  // The text parts of the published models leave out what is as in this class.
  defaults: {
    ...{ ...TIED, head_dim: 256, rope_theta: 1e6, sliding_window: 4096, vocab_size: 262208, hidden_size: 2304 },
    ...{ intermediate_size: 9216, num_hidden_layers: 26, num_attention_heads: 8, num_key_value_heads: 4 },
    max_position_embeddings: 131072,
  },
  own: (config, context) => {
    const period = readPeriod(config);
    const isLocal = localLayers(config, context, (layer) => (layer + 1) % period !== 0);
    return {
      isLocal,
      attentionScale: queryScale(config),
      keys: {
        final_logit_softcapping: config.number('final_logit_softcapping'),
        ...windowKeys(config, context, isLocal),
      },
    };
  },
};
