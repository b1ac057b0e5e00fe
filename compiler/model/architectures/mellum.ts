/** Mellum 2: as Qwen 3 with experts, and a window in three of four layers, where the rope scaling is left out. */
import { type Architecture, UNTIED_DECODER } from './architecture.js';
import { qwen3moe } from './qwen3moe.js';

export const mellum: Architecture = {
  ...qwen3moe,
  name: 'mellum',
  keys: ['attention.sliding_window', 'attention.sliding_window_pattern'],
  features: (keys, { blockCount, ropeBase }) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', 4, blockCount);
    const local = { window, rope: { base: ropeBase, scaled: false } };
    return { layer: (index) => (window && isLocal(index) ? local : {}) };
  },
  model: UNTIED_DECODER,
};
