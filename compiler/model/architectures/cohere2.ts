/** Command R7B and A: Command R with a window in three of four layers; the fourth has no rope. */
import { type Architecture, DECODER } from './architecture.js';
import { PARALLEL_LAYER } from './command_r.js';

export const cohere2: Architecture = {
  name: 'cohere2',
  ropePairing: 'adjacent',
  norm: 'layer',
  feedForwardScales: true,
  keys: ['logit_scale', 'attention.sliding_window', 'attention.sliding_window_pattern'],
  features: (keys, { blockCount }) => {
    const window = keys.positiveUint('attention.sliding_window') ?? 4096;
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', 4, blockCount);
    return {
      parallel: true,
      logitScale: keys.positiveFloat('logit_scale'),
      layer: (index) => (isLocal(index) ? { window } : { rope: 'none' }),
    };
  },
  model: DECODER,
  layer: PARALLEL_LAYER,
};
