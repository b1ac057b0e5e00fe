/** dots.llm1: head norms, dense layers first, and experts as the file says, among others by sigmoids. */
import {
  type Architecture,
  DECODER_LAYER,
  EXPERTS_LAYER,
  HEAD_NORMS,
  OPTIONAL_SELECTION,
  SHARED_EXPERT,
  UNTIED_DECODER,
} from './architecture.js';

export const dots1: Architecture = {
  name: 'dots1',
  ropePairing: 'half',
  model: UNTIED_DECODER,
  experts: {
    weightsOver: 'stated',
    gating: 'stated',
    scaled: true,
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...HEAD_NORMS, ...OPTIONAL_SELECTION },
    dense: { ...DECODER_LAYER, ...HEAD_NORMS },
    shared: { layer: SHARED_EXPERT, otherwise: 'expert', counted: true },
  },
};
