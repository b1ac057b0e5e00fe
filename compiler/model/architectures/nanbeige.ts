/** Nanbeige: Llama; models whose layers run more than once are refused. */
import { type Architecture, DECODER, DECODER_LAYER, ROPE_FACTORS } from './architecture.js';

export const nanbeige: Architecture = {
  name: 'nanbeige',
  ropePairing: 'adjacent',
  feedForwardScales: true,
  keys: ['attention.scale'],
  features: (keys) => ({ attentionScale: keys.positiveFloat('attention.scale') }),
  model: { ...DECODER, ...ROPE_FACTORS },
  layer: DECODER_LAYER,
};
