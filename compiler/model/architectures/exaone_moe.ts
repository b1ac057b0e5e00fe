/** K-EXAONE: head norms, dense layers before those with experts; three of four layers have a window, and only those turn. */
import {
  type Architecture,
  DECODER_LAYER,
  EXPERTS_LAYER,
  HEAD_NORMS,
  OPTIONAL_SELECTION,
  ROPE_FACTORS,
  SHARED_EXPERT,
  UNTIED_DECODER,
} from './architecture.js';

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
  experts: {
    weightsOver: 'stated',
    gating: 'stated',
    scaled: true,
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...HEAD_NORMS, ...OPTIONAL_SELECTION },
    dense: { ...DECODER_LAYER, ...HEAD_NORMS },
    shared: { layer: SHARED_EXPERT, stated: true, otherwise: 'expert' },
  },
};
