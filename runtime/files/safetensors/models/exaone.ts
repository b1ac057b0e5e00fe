/** EXAONE 4. */
import { only } from '../rules.js';
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { patternedLayers, windowKeys, windowOf } from './windows.js';

const QK_NORMS = only('attention without norms of heads', true);

export const exaone4: ModelType = {
  ...{ architecture: 'exaone4', activation: SILU, windowed: true },
  defaults: {
    ...{ ...UNTIED, rms_norm_eps: 1e-5, num_key_value_heads: 32, max_position_embeddings: 2048 },
    ...{ sliding_window: 4096, sliding_window_pattern: 4 },
  },
  rules: { use_qk_norm: QK_NORMS, qk_norm: QK_NORMS },
  own: (config, context) => {
    config.get('sliding_window_pattern');
    const isPatterned = config.has('sliding_window') || config.has('layer_types');
    const isLocal = isPatterned ? patternedLayers(config, context) : () => false;
    const window = windowOf(config, context, isLocal);
    // Only layers with a window have rope, in models that have one.
    const hasRope = window === undefined ? () => true : isLocal;
    return { isLocal, hasRope, keys: windowKeys(config, context, isLocal) };
  },
};
