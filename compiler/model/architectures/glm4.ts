/**
 * GLM 4 (0414) and the text half of GLM 4.1V: norms after both halves of a layer too, one matrix for gate and up, and a part
 * of each head turns. Where the rope has several axes, llama.cpp's converter reorders the rows of q and k for other pairs.
 */
import type { Keys } from '../keys.js';
import { type Architecture, DECODER, DECODER_LAYER, POST_NORMS, stacked } from './architecture.js';

const [ffnGate, ffnUp] = stacked('ffn_up.weight', { gate: 'feedForward', up: 'feedForward' }, 'embedding');

export const AXES = 'rope.dimension_sections';

/** Whether the rope has several axes; then a text's are all the same. */
export function axesOfText(keys: Keys, ropeDimensions: number): boolean {
  const [first = 0, second = 0] = keys.axes(AXES);
  if (first === 0 || second === 0) return false;
  keys.textAxes(AXES, ropeDimensions / 2, 'sections');
  return true;
}

export const glm4: Architecture = {
  name: 'glm4',
  ropePairing: 'adjacent',
  keys: [AXES],
  features: (keys, { ropeDimensions }) => (axesOfText(keys, ropeDimensions) ? { ropePairing: 'half' } : {}),
  model: DECODER,
  layer: { ...DECODER_LAYER, ...POST_NORMS, ffnGate: ffnGate!, ffnUp: ffnUp! },
};
