/** SmolLM 3: Llama, but every fourth layer has no rope. */
import { type Architecture, DECODER, DECODER_LAYER, OPTIONAL_BIASES } from './architecture.js';

export const smollm3: Architecture = {
  name: 'smollm3',
  ropePairing: 'adjacent',
  features: () => ({ layer: (index) => (index % 4 === 3 ? { rope: 'none' } : {}) }),
  model: DECODER,
  layer: { ...DECODER_LAYER, ...OPTIONAL_BIASES },
};
