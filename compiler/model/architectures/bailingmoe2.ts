/** Ling 2.0 (Mini, Flash): head norms, dense layers before those with experts, which are in groups; shared experts as one. */
import {
  type Architecture,
  DECODER_LAYER,
  EXPERTS_LAYER,
  HEAD_NORMS,
  OPTIONAL_SELECTION,
  SHARED_EXPERT,
  UNTIED_DECODER,
} from './architecture.js';
import { STACKED_QKV } from './stacked_qkv.js';

const ATTENTION = { ...STACKED_QKV, ...HEAD_NORMS } as const;

export const bailingmoe2: Architecture = {
  name: 'bailingmoe2',
  ropePairing: 'half',
  nextn: true,
  model: UNTIED_DECODER,
  experts: {
    weightsOver: 'stated',
    gating: 'stated',
    scaled: true,
    grouped: true,
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...ATTENTION, ...OPTIONAL_SELECTION },
    dense: { ...DECODER_LAYER, ...ATTENTION },
    shared: { layer: SHARED_EXPERT, stated: true, otherwise: 'expert', counted: true },
  },
};
