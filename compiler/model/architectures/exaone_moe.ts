/** K-EXAONE: head norms, dense layers before those with experts; three of four layers have a window, and only those have rope. */
import { type Architecture, ROPE_FACTORS, SHARED_EXPERT, UNTIED_DECODER } from './architecture.js';
import { dots1 } from './dots1.js';

export const exaoneMoe: Architecture = {
  name: 'exaone-moe',
  ropePairing: 'half',
  nextn: true,
  // The count changes nothing: the shared expert's width is stated, or one expert's.
  keys: ['attention.sliding_window', 'attention.sliding_window_pattern', 'expert_shared_count'],
  features: (keys, { blockCount, nextnLayers }) => {
    const window = keys.positiveUint('attention.sliding_window') ?? 128;
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', 4, blockCount + nextnLayers);
    return { layer: (index) => (isLocal(index) ? { window } : { rope: 'none' }) };
  },
  model: { ...UNTIED_DECODER, ...ROPE_FACTORS },
  experts: { ...dots1.experts!, shared: { layer: SHARED_EXPERT, stated: true, otherwise: 'expert' } },
};
