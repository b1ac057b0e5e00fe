/** Gemma 3: as Gemma 2 with head norms for soft caps; five layers with a window and a rope of their own, then one without. */
import { type Architecture, DECODER, DECODER_LAYER, HEAD_NORMS, POST_NORMS } from './architecture.js';

const PERIOD = 6;
const LOCAL_ROPE_BASE = 10000;
const LAYERS_OF_27B = 62;

export const gemma3: Architecture = {
  name: 'gemma3',
  ropePairing: 'half',
  activation: 'gelu',
  keys: [
    'final_logit_softcapping',
    'attention.sliding_window',
    'attention.sliding_window_pattern',
    'rope.freq_base_swa',
  ],
  features: (keys, { blockCount, embeddingLength, headCount, headSize }) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', PERIOD, blockCount);
    const base = keys.positiveFloat('rope.freq_base_swa') ?? LOCAL_ROPE_BASE;
    return {
      embeddingScale: Math.sqrt(embeddingLength),
      attentionScale: 1 / Math.sqrt(blockCount === LAYERS_OF_27B ? embeddingLength / headCount : headSize),
      logitSoftCap: keys.positiveFloat('final_logit_softcapping'),
      layer: (index) => (window && isLocal(index) ? { window, rope: { base, scaled: false } } : {}),
    };
  },
  model: DECODER,
  layer: {
    ...DECODER_LAYER,
    ...POST_NORMS,
    ...HEAD_NORMS,
  },
};
