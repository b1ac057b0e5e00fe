/** Llama 2 and 3.x, Mistral, and whatever else llama.cpp's converter calls llama. */
import { type Architecture, DECODER, DECODER_LAYER, f32Vector, optional, vector } from './architecture.js';

export const llama: Architecture = {
  name: 'llama',
  ropePairing: 'adjacent',
  model: { ...DECODER, ropeFactors: optional(f32Vector('rope_freqs.weight', 'ropePairs')) },
  layer: {
    ...DECODER_LAYER,
    attnQBias: optional(vector('attn_q.bias', 'query')),
    attnKBias: optional(vector('attn_k.bias', 'keyValue')),
    attnVBias: optional(vector('attn_v.bias', 'keyValue')),
    attnOutputBias: optional(vector('attn_output.bias', 'embedding')),
    ffnGateBias: optional(vector('ffn_gate.bias', 'feedForward')),
    ffnUpBias: optional(vector('ffn_up.bias', 'feedForward')),
    ffnDownBias: optional(vector('ffn_down.bias', 'embedding')),
  },
};
