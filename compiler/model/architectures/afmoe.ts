/** AFMoE (Trinity): gated attention, norms of heads and after the halves, windows; in every fourth layer nothing turns. */
import {
  type Architecture,
  DECODER,
  DECODER_LAYER,
  ELEMENT_GATES,
  EXPERTS_LAYER,
  HEAD_NORMS,
  OPTIONAL_SELECTION,
  POST_NORMS,
  SHARED_EXPERT,
} from './architecture.js';

const BESIDES = { ...HEAD_NORMS, ...ELEMENT_GATES, ...POST_NORMS } as const;

export const afmoe: Architecture = {
  name: 'afmoe',
  ropePairing: 'half',
  keys: ['attention.sliding_window', 'attention.sliding_window_pattern'],
  features: (keys, { blockCount, embeddingLength }) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', 4, blockCount);
    return {
      embeddingScale: Math.sqrt(embeddingLength),
      // llama.cpp counts the layers in which nothing turns, whatever the pattern of windows says.
      layer: (index) => ({ window: isLocal(index) ? window : undefined, rope: index % 4 === 3 ? 'none' : undefined }),
    };
  },
  model: DECODER,
  experts: {
    weightsOver: 'stated',
    gating: 'sigmoid',
    scaled: true,
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...BESIDES, ...OPTIONAL_SELECTION },
    dense: { ...DECODER_LAYER, ...BESIDES },
    shared: { layer: SHARED_EXPERT, otherwise: 'expert', counted: true },
  },
};
