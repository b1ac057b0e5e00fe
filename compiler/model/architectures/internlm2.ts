/** InternLM 2 and 2.5: Llama without rope factors. */
import { type Architecture, DECODER, DECODER_LAYER } from './architecture.js';

export const internlm2: Architecture = {
  name: 'internlm2',
  ropePairing: 'adjacent',
  model: DECODER,
  layer: DECODER_LAYER,
};
