/** PLaMo: Llama with its halves side by side on one norm. */
import { type Architecture, DECODER_LAYER, UNTIED_DECODER } from './architecture.js';

export const plamo: Architecture = {
  name: 'plamo',
  ropePairing: 'half',
  features: () => ({ parallel: true }),
  model: UNTIED_DECODER,
  layer: { ...DECODER_LAYER, ffnNorm: DECODER_LAYER.attnNorm },
};
