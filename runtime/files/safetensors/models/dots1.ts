/** dots.llm1. */
import { only } from '../rules.js';
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { DEEPSEEK_RULES, deepseekKeys, weightsOf } from './routing.js';
import { everyLayer, localLayers, windowOf } from './windows.js';

const QK_NORMS = only('attention without norms of heads', true);

export const dots1: ModelType = {
  ...{ architecture: 'dots1', activation: SILU, windowed: true },
  aliases: { num_local_experts: 'n_routed_experts' },
  defaults: {
    ...{ ...UNTIED, num_key_value_heads: 32, max_position_embeddings: 2048 },
    ...{ sliding_window: 4096, max_window_layers: 62, first_k_dense_replace: 0, routed_scaling_factor: 1 },
  },
  rules: {
    ...DEEPSEEK_RULES,
    ...{ use_qk_norm: QK_NORMS, qk_norm: QK_NORMS },
  },
  own: (config, context) => {
    config.only('tie_word_embeddings', [false], 'an output that is the embedding');
    const from = config.require('max_window_layers', config.uint('max_window_layers'));
    const hasWindow = config.has('sliding_window');
    const isLocal = localLayers(config, context, (layer) => hasWindow && layer >= from);
    windowOf(config, context, isLocal);
    // The authors' own key, which transformers does not read.
    const isUsed = everyLayer(context.layers, isLocal).includes(true);
    config.only('use_sliding_window', isUsed ? [true] : [false, true], 'windows that are not to be used');
    return { isLocal, ...weightsOf(config), keys: deepseekKeys(config) };
  },
};
