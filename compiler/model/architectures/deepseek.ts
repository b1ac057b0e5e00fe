/** DeepSeek's first mixture of experts: dense layers before those with experts, and shared experts side by side as one. */
import { type Architecture, DECODER, DECODER_LAYER, EXPERTS_LAYER, SHARED_EXPERT } from './architecture.js';

export const deepseek: Architecture = {
  name: 'deepseek',
  ropePairing: 'adjacent',
  model: DECODER,
  experts: {
    weightsOver: 'all',
    width: 'feedForward',
    layer: EXPERTS_LAYER,
    dense: DECODER_LAYER,
    shared: { layer: SHARED_EXPERT, otherwise: 'expert', counted: true },
  },
};
