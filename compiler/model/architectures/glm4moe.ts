/** GLM 4.5 and 4.6, Air and V (the text half): dense layers before those with experts, whose choice has a bias. */
import {
  type Architecture,
  DECODER,
  DECODER_LAYER,
  EXPERTS_LAYER,
  f32Vector,
  HEAD_NORMS,
  optional,
  SHARED_EXPERT,
  vector,
} from './architecture.js';
import { TEXT_AXES } from './axes.js';

const ATTENTION = {
  attnQNorm: optional(HEAD_NORMS.attnQNorm),
  attnKNorm: optional(HEAD_NORMS.attnKNorm),
  ffnNorm: vector('post_attention_norm.weight', 'embedding'),
} as const;

export const glm4moe: Architecture = {
  name: 'glm4moe',
  ropePairing: 'half',
  nextn: true,
  ...TEXT_AXES,
  model: DECODER,
  experts: {
    weightsOver: 'stated',
    gating: 'sigmoid',
    scaled: true,
    width: 'feedForward / used',
    layer: { ...EXPERTS_LAYER, ...ATTENTION, ffnRouterSelection: f32Vector('exp_probs_b.bias', 'experts') },
    dense: { ...DECODER_LAYER, ...ATTENTION },
    shared: { layer: SHARED_EXPERT, otherwise: 'expert', counted: true },
  },
};
