/** Qwen 3: each query and key head is normalised before rope. */
import { type Architecture, DECODER, DECODER_LAYER, HEAD_NORMS } from './architecture.js';

export const qwen3: Architecture = {
  name: 'qwen3',
  ropePairing: 'half',
  feedForwardScales: true,
  model: DECODER,
  layer: {
    ...DECODER_LAYER,
    ...HEAD_NORMS,
  },
};
