/** GPT-NeoX and Pythia. */
import { only, same } from '../rules.js';
import { GELU, LAYER_NORM_RULES, type ModelType } from './model_type.js';

/** Rows of a projection's group (kernels/projection), which must be of one head. */
const LEAST_ROWS = 8;

export const gptNeox: ModelType = {
  ...{ architecture: 'gptneox', activation: GELU, exactGelu: true, epsilon: 'layer', partialRope: true },
  defaults: {
    ...{ tie_word_embeddings: false, hidden_act: 'gelu', layer_norm_eps: 1e-5, max_position_embeddings: 2048 },
    use_parallel_residual: true,
  },
  rules: {
    ...LAYER_NORM_RULES,
    attention_bias: only('attention without biases', true),
    mlp_bias: only('a feed-forward without biases', true),
    num_kv_heads: same('KV heads that share queries', ({ heads }) => heads),
  },
  own: (config, { headSize, heads }) => {
    const rope = { base: config.number('rotary_emb_base') ?? 10000, partial: config.number('rotary_pct') ?? 0.25 };
    // transformers reads the names of other models in rope_parameters alone.
    config.only('rope_theta', [rope.base], 'two bases of rope');
    config.only('partial_rotary_factor', [rope.partial], 'rope of two parts of each head');
    config.only('num_key_value_heads', [heads], 'queries that share keys');
    if (headSize % LEAST_ROWS !== 0)
      config.refuse('num_attention_heads', `heads of ${headSize}`, `must make heads of a multiple of ${LEAST_ROWS}`);
    return {
      rope,
      keys: { use_parallel_residual: config.bool('use_parallel_residual') ?? false },
      // Masks that old versions saved.
      isUnused: (tensor) => /\.attention\.(masked_)?bias$/.test(tensor),
    };
  },
};
