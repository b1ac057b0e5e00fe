/** Llama 2 and 3.x, Mistral (whose window is every layer's), Mixtral, and whatever else llama.cpp's converter calls llama. */
import {
  type Architecture,
  DECODER,
  DECODER_LAYER,
  EXPERTS_LAYER,
  LONG_ROPE_FACTORS,
  OPTIONAL_BIASES,
  OPTIONAL_EXPERTS_GATE,
  OPTIONAL_OUTPUT_BIAS,
  ROPE_FACTORS,
} from './architecture.js';

export const llama: Architecture = {
  name: 'llama',
  ropePairing: 'adjacent',
  feedForwardScales: true,
  keys: ['attention.sliding_window'],
  features: (keys) => {
    const window = keys.positiveUint('attention.sliding_window');
    return { layer: () => ({ window }) };
  },
  model: { ...DECODER, ...ROPE_FACTORS, ...LONG_ROPE_FACTORS },
  layer: { ...DECODER_LAYER, ...OPTIONAL_BIASES },
  experts: {
    weightsOver: 'chosen',
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...OPTIONAL_EXPERTS_GATE, ...OPTIONAL_OUTPUT_BIAS },
  },
};
