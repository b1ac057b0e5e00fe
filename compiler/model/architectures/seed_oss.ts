/** Seed-OSS: Llama with the other pairing, and another name for the norm before the feed-forward. */
import { type Architecture, DECODER, DECODER_LAYER, vector } from './architecture.js';

export const seedOss: Architecture = {
  name: 'seed_oss',
  ropePairing: 'half',
  model: DECODER,
  layer: { ...DECODER_LAYER, ffnNorm: vector('post_attention_norm.weight', 'embedding') },
};
