/** EXAONE 4: norms after both halves of a layer and none before, head norms; in the largest, only layers with a window have rope. */
import { type Architecture, DECODER, DECODER_LAYER, HEAD_NORMS, POST_NORMS, ROPE_FACTORS } from './architecture.js';

const PERIOD = 4;
const LAYERS_OF_32B = 64;
const { attnNorm: _, ffnNorm: __, ...LAYER } = DECODER_LAYER;

export const exaone4: Architecture = {
  name: 'exaone4',
  ropePairing: 'half',
  keys: ['attention.sliding_window', 'attention.sliding_window_pattern'],
  // As in llama.cpp the number of layers decides, whatever window the file of a smaller model names.
  features: (keys, { blockCount }) => {
    const window = keys.positiveUint('attention.sliding_window') ?? 4096;
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', PERIOD, blockCount);
    return { layer: (index) => (blockCount !== LAYERS_OF_32B ? {} : isLocal(index) ? { window } : { rope: 'none' }) };
  },
  model: { ...DECODER, ...ROPE_FACTORS },
  layer: {
    ...LAYER,
    ...POST_NORMS,
    ...HEAD_NORMS,
  },
};
