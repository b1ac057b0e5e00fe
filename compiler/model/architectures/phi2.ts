/** Phi 1, 1.5 and 2: as GPT-NeoX with its halves side by side, but both on one LayerNorm, and a bias of the logits. */
import { type Architecture, vector } from './architecture.js';
import { gptneox } from './gptneox.js';
import { OPTIONAL_STACKED_QKV_BIASES } from './stacked_qkv.js';

export const phi2: Architecture = {
  name: 'phi2',
  ropePairing: 'half',
  norm: 'layer',
  activation: 'gelu',
  features: () => ({ parallel: true }),
  model: { ...gptneox.model, outputBias: vector('output.bias', 'vocabulary') },
  layer: {
    ...gptneox.layer!,
    ...OPTIONAL_STACKED_QKV_BIASES,
    ffnNorm: vector('attn_norm.weight', 'embedding'),
    ffnNormBias: vector('attn_norm.bias', 'embedding'),
  },
};
