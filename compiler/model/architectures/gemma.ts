/** Gemma, the first: scaled embedding, GELU gate. The 1 that is added to norm weights is in the file's. */
import { type Architecture, DECODER, DECODER_LAYER } from './architecture.js';

export const gemma: Architecture = {
  name: 'gemma',
  ropePairing: 'half',
  activation: 'gelu',
  features: (_, { embeddingLength }) => ({ embeddingScale: Math.sqrt(embeddingLength) }),
  model: DECODER,
  layer: DECODER_LAYER,
};
