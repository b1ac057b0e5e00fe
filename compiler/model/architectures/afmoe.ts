/** AFMoE (Trinity): gated attention, norms of heads and after the halves, windows; no rope in every fourth layer. */
import { type Architecture, DECODER, ELEMENT_GATES, POST_NORMS } from './architecture.js';
import { dots1 } from './dots1.js';

const PATTERN = 'attention.sliding_window_pattern';
const BESIDES = { ...ELEMENT_GATES, ...POST_NORMS } as const;
const experts = dots1.experts!;

export const afmoe: Architecture = {
  name: 'afmoe',
  ropePairing: 'half',
  keys: ['attention.sliding_window', PATTERN],
  features: (keys, { blockCount, embeddingLength }) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern(PATTERN, 4, blockCount);
    return {
      embeddingScale: Math.sqrt(embeddingLength),
      // llama.cpp counts the layers without rope, whatever the pattern of windows says.
      layer: (index) => ({ window: isLocal(index) ? window : undefined, rope: index % 4 === 3 ? 'none' : undefined }),
    };
  },
  model: DECODER,
  experts: {
    ...experts,
    gating: 'sigmoid',
    layer: { ...experts.layer, ...BESIDES },
    dense: { ...experts.dense!, ...BESIDES },
  },
};
