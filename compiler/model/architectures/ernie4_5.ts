/** ERNIE 4.5, the dense ones: Llama without rope factors, and of VL the text half. */
import { type Architecture, DECODER, DECODER_LAYER } from './architecture.js';
import { TEXT_AXES } from './axes.js';

export const ernie4_5: Architecture = {
  name: 'ernie4_5',
  ropePairing: 'adjacent',
  ...TEXT_AXES,
  model: DECODER,
  layer: DECODER_LAYER,
};
