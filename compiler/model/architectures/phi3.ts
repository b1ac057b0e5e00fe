/** Phi 3 and 4: one matrix for q, k and v, one for gate and up; rope factors for short and long contexts. */
import { type Architecture, DECODER, DECODER_LAYER, LONG_ROPE_FACTORS, stacked } from './architecture.js';
import { STACKED_QKV } from './stacked_qkv.js';

const [ffnGate, ffnUp] = stacked('ffn_up.weight', { gate: 'feedForward', up: 'feedForward' }, 'embedding');

export const phi3: Architecture = {
  name: 'phi3',
  ropePairing: 'half',
  keys: ['attention.sliding_window'],
  // As the model's authors define it; llama.cpp leaves this window out.
  features: (keys) => {
    const window = keys.positiveUint('attention.sliding_window');
    return { layer: () => ({ window }) };
  },
  model: { ...DECODER, ...LONG_ROPE_FACTORS },
  layer: {
    ...DECODER_LAYER,
    ...STACKED_QKV,
    ffnGate: ffnGate!,
    ffnUp: ffnUp!,
  },
};
