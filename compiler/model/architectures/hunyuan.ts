/** Hunyuan: head norms that come after the rope; dense, or with experts and a shared one. */
import { type Architecture, DECODER, DECODER_LAYER, EXPERTS_LAYER, HEAD_NORMS, SHARED_EXPERT } from './architecture.js';

const HUNYUAN = { ropePairing: 'half', features: () => ({ normTurned: true as const }), model: DECODER } as const;

export const hunyuanDense: Architecture = {
  ...HUNYUAN,
  name: 'hunyuan-dense',
  layer: { ...DECODER_LAYER, ...HEAD_NORMS },
};

export const hunyuanMoe: Architecture = {
  ...HUNYUAN,
  name: 'hunyuan-moe',
  experts: {
    weightsOver: 'chosen',
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...HEAD_NORMS },
    shared: { layer: SHARED_EXPERT, stated: true, otherwise: 'feedForward' },
  },
};
