/** ERNIE 4.5, the dense ones: Llama without rope factors. */
import { type Architecture, DECODER, DECODER_LAYER } from './architecture.js';

export const ernie4_5: Architecture = {
  name: 'ernie4_5',
  ropePairing: 'adjacent',
  model: DECODER,
  layer: DECODER_LAYER,
};
