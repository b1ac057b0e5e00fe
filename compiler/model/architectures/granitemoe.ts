/** Granite 3 with experts, and in some models a shared one. */
import {
  type Architecture,
  DECODER,
  EXPERTS_LAYER,
  LONG_ROPE_FACTORS,
  OPTIONAL_ATTENTION_BIASES,
  ROPE_FACTORS,
  SHARED_EXPERT,
} from './architecture.js';
import { granite } from './granite.js';

export const granitemoe: Architecture = {
  name: 'granitemoe',
  ropePairing: granite.ropePairing,
  keys: granite.keys!,
  features: granite.features!,
  model: { ...DECODER, ...ROPE_FACTORS, ...LONG_ROPE_FACTORS },
  experts: {
    weightsOver: 'chosen',
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...OPTIONAL_ATTENTION_BIASES },
    shared: { layer: SHARED_EXPERT, always: false },
  },
};
