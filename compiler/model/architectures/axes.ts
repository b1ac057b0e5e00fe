/** A rope of several axes, in models whose text halves are compiled: of a text all positions are the same. */
import type { Keys } from '../keys.js';
import type { Architecture } from './architecture.js';

export const AXES = 'rope.dimension_sections';

/** Whether the rope has several axes; then a text's are all the same. */
export function axesOfText(keys: Keys, ropeDimensions: number): boolean {
  const [first = 0, second = 0] = keys.axes(AXES);
  if (first === 0 || second === 0) return false;
  keys.textAxes(AXES, ropeDimensions / 2, 'sections');
  return true;
}

/** Of an architecture that the axes change nothing of but this. */
export const TEXT_AXES = {
  keys: [AXES],
  features: (keys, { ropeDimensions }) => {
    axesOfText(keys, ropeDimensions);
    return {};
  },
} as const satisfies Partial<Architecture>;
