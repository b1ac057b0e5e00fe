/** Granite 3: Llama with constants on the embedding, the attention, what layers add and the logits; or with experts, and maybe a shared one. */
import type { Keys } from '../keys.js';
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
  SHARED_EXPERT,
} from './architecture.js';

export function graniteConstants(keys: Keys) {
  const logitScale = keys.positiveFloat('logit_scale');
  return {
    embeddingScale: keys.positiveFloat('embedding_scale'),
    residualScale: keys.positiveFloat('residual_scale'),
    attentionScale: keys.positiveFloat('attention.scale'),
    // The file has the divisor.
    logitScale: logitScale && 1 / logitScale,
  };
}

export const granite: Architecture = {
  name: 'granite',
  ropePairing: 'adjacent',
  keys: ['embedding_scale', 'residual_scale', 'logit_scale', 'attention.scale', 'rope.scaling.finetuned'],
  features: (keys) => {
    const hasRope = keys.bool('rope.scaling.finetuned') ?? true;
    return { ...graniteConstants(keys), layer: () => (hasRope ? {} : { rope: 'none' }) };
  },
  model: { ...DECODER, ...ROPE_FACTORS, ...LONG_ROPE_FACTORS },
  layer: { ...DECODER_LAYER, ...OPTIONAL_BIASES },
  experts: {
    weightsOver: 'chosen',
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...OPTIONAL_EXPERTS_GATE, ...OPTIONAL_OUTPUT_BIAS },
    shared: { layer: SHARED_EXPERT, stated: true, otherwise: 'none' },
  },
};
