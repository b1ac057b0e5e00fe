/** OLMo 2 and 3: norms after both halves of a layer and none before, norms of q and k over all heads; 3 has windows. */
import { type Architecture, DECODER, DECODER_LAYER, POST_NORMS, vector } from './architecture.js';

const PERIOD = 4;
const { attnNorm: _, ffnNorm: __, ...LAYER } = DECODER_LAYER;

export const olmo2: Architecture = {
  name: 'olmo2',
  ropePairing: 'half',
  keys: ['attention.sliding_window', 'attention.sliding_window_pattern', 'rope.freq_base_swa'],
  features: (keys, { blockCount, ropeBase }) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', PERIOD, blockCount);
    const rope = { base: keys.positiveFloat('rope.freq_base_swa') ?? ropeBase, scaled: false };
    return { layer: (index) => (window && isLocal(index) ? { window, rope } : {}) };
  },
  model: DECODER,
  layer: {
    ...LAYER,
    ...POST_NORMS,
    attnQNorm: vector('attn_q_norm.weight', 'query'),
    attnKNorm: vector('attn_k_norm.weight', 'keyValue'),
  },
};
