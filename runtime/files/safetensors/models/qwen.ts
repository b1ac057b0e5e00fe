/** Qwen 2 and 3, dense and with experts. */
import type { ConfigReader } from '../config_reader.js';
import { only } from '../rules.js';
import { type Context, type ModelType, type Own, SILU, UNTIED } from './model_type.js';
import { expertKeys, weightsOf } from './routing.js';
import { layersAlike, windowsInUse } from './windows.js';

const QKV_BIASES = only('attention without biases', true);
const QK_NORMS = only('attention without norms of heads', true);

/** Layers from max_window_layers on, if at all. */
function windows(config: ConfigReader, context: Context): Own {
  const from = config.uint('max_window_layers') ?? 28;
  return windowsInUse(config, context, (layer) => layer >= from);
}

/** Which layers have one where layer_types does not say, transformers' versions see differently. */
function qwen2moeWindows(config: ConfigReader, context: Context): Own {
  config.uint('max_window_layers');
  if (config.bool('use_sliding_window') && !config.has('layer_types'))
    config.refuse('use_sliding_window', 'windows without layer_types', 'must be false where layer_types is absent');
  return windowsInUse(config, context, () => false);
}

/** All layers or none; transformers before 5 had it from max_window_layers on. */
function qwen3moeWindows(config: ConfigReader, context: Context): Own {
  const isUsed = config.bool('use_sliding_window') ?? false;
  const from = config.uint('max_window_layers') ?? 0;
  if (isUsed && from > 0)
    config.refuse(
      'max_window_layers',
      'windows of some layers',
      'must be 0 or absent where use_sliding_window is true',
    );
  const window = (isUsed && config.uint('sliding_window')) || undefined;
  return { isLocal: layersAlike(config, context, window) };
}

export const qwen2: ModelType = {
  ...{ architecture: 'qwen2', activation: SILU, windowed: true, own: windows },
  defaults: { ...UNTIED, sliding_window: 4096, num_key_value_heads: 32, max_position_embeddings: 32768 },
  rules: { qkv_bias: QKV_BIASES, attention_bias: QKV_BIASES, use_qkv_bias: QKV_BIASES },
};

export const qwen3: ModelType = {
  architecture: 'qwen3',
  windowed: true,
  activation: SILU,
  own: windows,
  defaults: {
    ...{ ...UNTIED, head_dim: 128, sliding_window: 4096 },
    ...{ num_key_value_heads: 32, max_position_embeddings: 32768 },
  },
  rules: { use_qk_norm: QK_NORMS, qk_norm: QK_NORMS },
};

export const qwen2moe: ModelType = {
  ...qwen2,
  architecture: 'qwen2moe',
  defaults: {
    ...{ ...qwen2.defaults, num_key_value_heads: 16, num_experts: 60, num_experts_per_tok: 4 },
    ...{ moe_intermediate_size: 1408, shared_expert_intermediate_size: 5632 },
  },
  own: (config, context) => ({
    ...qwen2moeWindows(config, context),
    ...weightsOf(config),
    keys: {
      ...expertKeys(config),
      expert_feed_forward_length: config.uint('moe_intermediate_size'),
      expert_shared_feed_forward_length: config.uint('shared_expert_intermediate_size'),
    },
  }),
};

export const qwen3moe: ModelType = {
  ...qwen3,
  architecture: 'qwen3moe',
  aliases: { num_local_experts: 'num_experts' },
  // Where it does not say head_dim, that is what heads share of the embedding.
  defaults: {
    ...{ ...UNTIED, sliding_window: 4096, num_key_value_heads: 4, max_position_embeddings: 32768 },
    ...{ num_experts: 128, num_experts_per_tok: 8, moe_intermediate_size: 768 },
  },
  own: (config, context) => {
    const keys = { ...expertKeys(config), expert_feed_forward_length: config.uint('moe_intermediate_size') };
    return { ...qwen3moeWindows(config, context), ...weightsOf(config), keys };
  },
};
