/** EXAONE 3: Llama with the other pairing. */
import { type Architecture, DECODER, DECODER_LAYER, ROPE_FACTORS } from './architecture.js';

export const exaone: Architecture = {
  name: 'exaone',
  ropePairing: 'half',
  model: { ...DECODER, ...ROPE_FACTORS },
  layer: DECODER_LAYER,
};
