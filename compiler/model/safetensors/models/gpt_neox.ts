/** GPT-NeoX and Pythia. */
import { GELU, type ModelType } from './model_type.js';

/** Rows of a projection's group (kernels/projection), which must be of one head. */
const LEAST_ROWS = 8;

export const gptNeox: ModelType = {
  ...{ architecture: 'gptneox', activation: GELU, exactGelu: true, partialRope: true },
  defaults: { tie_word_embeddings: false, hidden_act: 'gelu', layer_norm_eps: 1e-5 },
  own: (config, { headSize }) => {
    const rope = { base: config.number('rotary_emb_base') ?? 10000, partial: config.number('rotary_pct') ?? 0.25 };
    // transformers reads the names of other models in rope_parameters alone.
    config.only('rope_theta', [rope.base], 'two bases of rope');
    config.only('partial_rotary_factor', [rope.partial], 'rope of two parts of each head');
    config.only('attention_bias', [true], 'attention without biases');
    if (headSize % LEAST_ROWS !== 0)
      config.refuse('num_attention_heads', `heads of ${headSize}`, `must make heads of a multiple of ${LEAST_ROWS}`);
    return {
      rope,
      keys: {
        'attention.layer_norm_epsilon': config.number('layer_norm_eps'),
        use_parallel_residual: config.bool('use_parallel_residual') ?? true,
      },
      // Masks that old versions saved.
      isUnused: (tensor) => /\.attention\.(masked_)?bias$/.test(tensor),
    };
  },
};
