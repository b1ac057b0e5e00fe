/** Granite with attention sinks, and in some layers a window; the dense models, all of whose layers have rope. */
import { type Architecture, f32Vector } from './architecture.js';
import { granite, graniteConstants } from './granite.js';

const PATTERN = 'attention.sliding_window_pattern';
const { experts: _, ...GRANITE } = granite;

export const graniteSwa: Architecture = {
  ...GRANITE,
  name: 'granite_swa',
  keys: ['embedding_scale', 'residual_scale', 'logit_scale', 'attention.scale', 'attention.sliding_window', PATTERN],
  features: (keys, h) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern(PATTERN, 1, h.blockCount);
    return { ...graniteConstants(keys), layer: (index) => ({ window: isLocal(index) ? window : undefined }) };
  },
  layer: { ...granite.layer!, attnSinks: f32Vector('attn_sinks.weight', 'heads') },
};
