/** MiniMax M2: norms of q and k over all heads, partial rope, and experts with a bias of their choice. */
import { type Architecture, OPTIONAL_SELECTION, UNTIED_DECODER } from './architecture.js';
import { olmoe } from './olmoe.js';

export const minimaxM2: Architecture = {
  name: 'minimax-m2',
  ropePairing: 'half',
  model: UNTIED_DECODER,
  experts: {
    weightsOver: 'chosen',
    gating: 'stated',
    width: 'feedForward',
    layer: { ...olmoe.experts!.layer, ...OPTIONAL_SELECTION },
  },
};
