/** Spark 2.5: a gate of each head of attention, a GELU gate, windows. */
import { type Architecture, DECODER, DECODER_LAYER, HEAD_GATES } from './architecture.js';

const PATTERN = 'attention.sliding_window_pattern';

export const spark: Architecture = {
  name: 'spark2_5',
  ropePairing: 'half',
  activation: 'gelu',
  keys: ['attention.sliding_window', PATTERN],
  features: (keys, { blockCount }) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern(PATTERN, 1, blockCount);
    return { layer: (index) => ({ window: isLocal(index) ? window : undefined }) };
  },
  model: DECODER,
  layer: { ...DECODER_LAYER, ...HEAD_GATES },
};
