/** Gemma 2: norms before and after both halves of a layer, soft caps, and a window in every other layer. */
import { type Architecture, DECODER, DECODER_LAYER, POST_NORMS } from './architecture.js';

const LAYERS_OF_27B = 46;

export const gemma2: Architecture = {
  name: 'gemma2',
  ropePairing: 'half',
  activation: 'gelu',
  keys: [
    'attn_logit_softcapping',
    'final_logit_softcapping',
    'attention.sliding_window',
    'attention.sliding_window_pattern',
  ],
  features: (keys, { blockCount, embeddingLength, headCount, headSize }) => {
    const window = keys.positiveUint('attention.sliding_window') ?? 4096;
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', 2, blockCount);
    return {
      embeddingScale: Math.sqrt(embeddingLength),
      // The largest model divides by what its heads would be if they shared the embedding; no key says so.
      attentionScale: 1 / Math.sqrt(blockCount === LAYERS_OF_27B ? embeddingLength / headCount : headSize),
      attentionSoftCap: keys.positiveFloat('attn_logit_softcapping', 50),
      logitSoftCap: keys.positiveFloat('final_logit_softcapping', 30),
      layer: (index) => ({ window: isLocal(index) ? window : undefined }),
    };
  },
  model: DECODER,
  layer: { ...DECODER_LAYER, ...POST_NORMS },
};
