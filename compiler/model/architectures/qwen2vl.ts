/** The text half of Qwen 2 VL and 2.5 VL: of a text all axes of the rope have the same position, so it is Qwen 2's. */
import { type Architecture, DECODER, DECODER_LAYER, USUAL_QKV_BIASES } from './architecture.js';

export const qwen2vl: Architecture = {
  name: 'qwen2vl',
  ropePairing: 'half',
  keys: ['rope.dimension_sections'],
  features: (keys, { ropeDimensions }) => {
    keys.textAxes('rope.dimension_sections', ropeDimensions / 2, 'sections');
    return {};
  },
  model: DECODER,
  layer: { ...DECODER_LAYER, ...USUAL_QKV_BIASES },
};
