/** Orion: Llama with LayerNorm. */
import { type Architecture, DECODER, DECODER_LAYER, vector } from './architecture.js';

export const orion: Architecture = {
  name: 'orion',
  ropePairing: 'half',
  norm: 'layer',
  model: { ...DECODER, outputNormBias: vector('output_norm.bias', 'embedding') },
  layer: {
    ...DECODER_LAYER,
    attnNormBias: vector('attn_norm.bias', 'embedding'),
    ffnNormBias: vector('ffn_norm.bias', 'embedding'),
  },
};
