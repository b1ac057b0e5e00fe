/** Qwen 1.5 and 2 with experts, and a shared expert whose output a sigmoid gates. */
import { type Architecture, DECODER, EXPERTS_LAYER, matrix, SHARED_EXPERT, USUAL_QKV_BIASES } from './architecture.js';

export const qwen2moe: Architecture = {
  name: 'qwen2moe',
  ropePairing: 'half',
  model: DECODER,
  experts: {
    weightsOver: 'all',
    width: 'feedForward / used',
    layer: { ...EXPERTS_LAYER, ...USUAL_QKV_BIASES },
    shared: {
      layer: { ...SHARED_EXPERT, ffnSharedRouter: matrix('ffn_gate_inp_shexp.weight', 1, 'embedding') },
      stated: true,
      otherwise: 'feedForward',
    },
  },
};
