/** EXAONE 4. */
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { patternedLayers, windowKeys, windowOf } from './windows.js';

export const exaone4: ModelType = {
  ...{ architecture: 'exaone4', activation: SILU, windowed: true },
  defaults: { ...UNTIED, rms_norm_eps: 1e-5, sliding_window: 4096, sliding_window_pattern: 4 },
  own: (config, context) => {
    config.get('sliding_window_pattern');
    const isPatterned = config.has('sliding_window') || config.has('layer_types');
    const isLocal = isPatterned ? patternedLayers(config, context) : () => false;
    const window = windowOf(config, context, isLocal);
    // Only layers with a window turn, in models that have one.
    const turns = window === undefined ? () => true : isLocal;
    return { isLocal, turns, keys: windowKeys(config, context, isLocal) };
  },
};
