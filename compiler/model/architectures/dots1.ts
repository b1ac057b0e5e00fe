/** dots.llm1: head norms, dense layers first, and experts as the file says, among others by sigmoids. */
import {
  type Architecture,
  DECODER,
  DECODER_LAYER,
  EXPERTS_LAYER,
  HEAD_NORMS,
  matrix,
  OPTIONAL_SELECTION,
  SHARED_EXPERT,
} from './architecture.js';

export const dots1: Architecture = {
  name: 'dots1',
  ropePairing: 'half',
  model: { ...DECODER, output: matrix('output.weight', 'vocabulary', 'embedding') },
  experts: {
    weightsOver: 'stated',
    gating: 'stated',
    scaled: true,
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...HEAD_NORMS, ...OPTIONAL_SELECTION },
    dense: { ...DECODER_LAYER, ...HEAD_NORMS },
    shared: { layer: SHARED_EXPERT, always: true, counted: true },
  },
};
