/** gpt-oss: experts with biases and a clamped SwiGLU, attention sinks, and a window in every other layer. */
import { type Architecture, DECODER, EXPERTS_LAYER, expertVector, USUAL_QKV_BIASES, vector } from './architecture.js';

export const gptOss: Architecture = {
  name: 'gpt-oss',
  ropePairing: 'half',
  activation: 'swiglu_oai',
  keys: ['attention.sliding_window', 'attention.sliding_window_pattern'],
  features: (keys, { blockCount, ropeDimensions }) => {
    const window = keys.positiveUint('attention.sliding_window');
    const isLocal = keys.layerPattern('attention.sliding_window_pattern', 2, blockCount);
    return {
      attentionScale: 1 / Math.sqrt(ropeDimensions),
      layer: (index) => ({ window: isLocal(index) ? window : undefined }),
    };
  },
  model: DECODER,
  experts: {
    weightsOver: 'chosen',
    width: 'feedForward',
    layer: {
      ...EXPERTS_LAYER,
      ...USUAL_QKV_BIASES,
      ffnNorm: vector('post_attention_norm.weight', 'embedding'),
      attnOutputBias: vector('attn_output.bias', 'embedding'),
      attnSinks: vector('attn_sinks.weight', 'heads'),
      ffnRouterBias: vector('ffn_gate_inp.bias', 'experts'),
      ffnGateExpertsBias: expertVector('ffn_gate_exps.bias', 'expertFeedForward'),
      ffnUpExpertsBias: expertVector('ffn_up_exps.bias', 'expertFeedForward'),
      ffnDownExpertsBias: expertVector('ffn_down_exps.bias', 'embedding'),
    },
  },
};
