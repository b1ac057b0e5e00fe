/** Hunyuan: head norms that come after the rope; dense, or with experts and a shared one. */
import { type Architecture, DECODER, DECODER_LAYER, EXPERTS_LAYER, HEAD_NORMS, SHARED_EXPERT } from './architecture.js';
import { AXES, axesOfText } from './axes.js';

const HUNYUAN = {
  ropePairing: 'half',
  keys: [AXES],
  features: (keys, { ropeDimensions }) => {
    axesOfText(keys, ropeDimensions);
    return { normsAfterRope: true };
  },
  model: DECODER,
} as const satisfies Partial<Architecture>;

export const hunyuanDense: Architecture = {
  ...HUNYUAN,
  name: 'hunyuan-dense',
  layer: { ...DECODER_LAYER, ...HEAD_NORMS },
};

/** Its text half, of whose rope's axes a text makes one. */
export const hunyuanVl: Architecture = { ...hunyuanDense, name: 'hunyuan_vl' };

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
