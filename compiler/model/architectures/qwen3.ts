/** Qwen 3: each query and key head is normalised before it turns. */
import { type Architecture, DECODER, DECODER_LAYER, f32Vector } from './architecture.js';

export const qwen3: Architecture = {
  name: 'qwen3',
  ropePairing: 'half',
  feedForwardScales: true,
  model: DECODER,
  layer: {
    ...DECODER_LAYER,
    attnQNorm: f32Vector('attn_q_norm.weight', 'head'),
    attnKNorm: f32Vector('attn_k_norm.weight', 'head'),
  },
};
