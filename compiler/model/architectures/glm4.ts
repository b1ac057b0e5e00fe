/** GLM 4 (0414): norms after both halves of a layer too, one matrix for gate and up, and a part of each head turns. */
import { type Architecture, DECODER, DECODER_LAYER, POST_NORMS, stacked } from './architecture.js';

const [ffnGate, ffnUp] = stacked('ffn_up.weight', { gate: 'feedForward', up: 'feedForward' }, 'embedding');

export const glm4: Architecture = {
  name: 'glm4',
  ropePairing: 'adjacent',
  model: DECODER,
  layer: { ...DECODER_LAYER, ...POST_NORMS, ffnGate: ffnGate!, ffnUp: ffnUp! },
};
