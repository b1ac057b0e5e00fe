/** dots.llm1. */
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { deepseekKeys, weightsOf } from './routing.js';
import { everyLayer, localLayers, windowOf } from './windows.js';

export const dots1: ModelType = {
  ...{ architecture: 'dots1', activation: SILU, windowed: true },
  defaults: {
    ...{ ...UNTIED, sliding_window: 4096, max_window_layers: 62 },
    ...{ n_group: 1, topk_group: 1, first_k_dense_replace: 0, routed_scaling_factor: 1 },
  },
  own: (config, context) => {
    config.only('attention_bias', [false], 'biases of attention');
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
