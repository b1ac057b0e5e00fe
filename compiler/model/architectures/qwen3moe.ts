/** Qwen 3 with experts: attention as in Qwen 3, and in every layer experts in place of the feed-forward. */
import { type Architecture, DECODER, EXPERTS_LAYER, HEAD_NORMS } from './architecture.js';

export const qwen3moe: Architecture = {
  name: 'qwen3moe',
  ropePairing: 'half',
  feedForwardScales: true,
  model: DECODER,
  experts: {
    weightsOver: 'chosen',
    width: 'feedForward / used',
    layer: {
      ...EXPERTS_LAYER,
      ...HEAD_NORMS,
    },
  },
};
