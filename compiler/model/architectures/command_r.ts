/** Command R: attention and feed-forward side by side on one LayerNorm, and a factor of the logits. */
import { type Architecture, DECODER, DECODER_LAYER, vector } from './architecture.js';

/** Both halves of a layer take its input through the same norm. */
export const PARALLEL_LAYER = { ...DECODER_LAYER, ffnNorm: vector('attn_norm.weight', 'embedding') } as const;

export const commandR: Architecture = {
  name: 'command-r',
  ropePairing: 'adjacent',
  norm: 'layer',
  keys: ['logit_scale'],
  features: (keys) => ({ parallel: true, logitScale: keys.positiveFloat('logit_scale') }),
  model: DECODER,
  layer: PARALLEL_LAYER,
};
