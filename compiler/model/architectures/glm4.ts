/**
 * GLM 4 (0414) and the text half of GLM 4.1V: norms after both halves of a layer too, one matrix for gate and up, and a part
 * of each head is rotated. Where the rope has several axes, llama.cpp's converter reorders the rows of q and k for other pairs.
 */
import { type Architecture, DECODER, DECODER_LAYER, POST_NORMS, stacked } from './architecture.js';
import { AXES, axesOfText } from './axes.js';

const [ffnGate, ffnUp] = stacked('ffn_up.weight', { gate: 'feedForward', up: 'feedForward' }, 'embedding');

export const glm4: Architecture = {
  name: 'glm4',
  ropePairing: 'adjacent',
  keys: [AXES],
  features: (keys, { ropeDimensions }) => (axesOfText(keys, ropeDimensions) ? { ropePairing: 'half' } : {}),
  model: DECODER,
  layer: { ...DECODER_LAYER, ...POST_NORMS, ffnGate: ffnGate!, ffnUp: ffnUp! },
};
