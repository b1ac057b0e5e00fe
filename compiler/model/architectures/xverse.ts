/** XVERSE: Llama without rope factors. */
import { type Architecture, DECODER, DECODER_LAYER } from './architecture.js';

export const xverse: Architecture = {
  name: 'xverse',
  ropePairing: 'adjacent',
  model: DECODER,
  layer: DECODER_LAYER,
};
