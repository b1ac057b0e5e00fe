/** OLMoE: norms of q and k over all heads, and experts in every layer. */
import { type Architecture, DECODER, EXPERTS_LAYER, vector } from './architecture.js';

export const olmoe: Architecture = {
  name: 'olmoe',
  ropePairing: 'half',
  model: DECODER,
  experts: {
    weightsOver: 'all',
    width: 'feedForward',
    layer: {
      ...EXPERTS_LAYER,
      attnQNorm: vector('attn_q_norm.weight', 'query'),
      attnKNorm: vector('attn_k_norm.weight', 'keyValue'),
    },
  },
};
