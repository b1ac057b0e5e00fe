/**
 * Keys that config.json of any model type may have and that change nothing at some values: settings of other model types,
 * of other programs, and of their publishers' own code. What a model type itself says of a key (models/) goes before.
 */
import { type Facts, only, type Rule, type Rules, same } from './rules.js';

const all = (rule: Rule, ...keys: readonly string[]): Rules => Object.fromEntries(keys.map((key) => [key, rule]));

const twice = (what: string, of: (facts: Facts) => number | undefined, ...keys: readonly string[]): Rules =>
  all(same(`two ${what}`, of), ...keys);

const ENCODER = 'an encoder beside the decoder';
const BIASES = 'biases';
const LATENT = 'multi-head latent attention';
const NORMS = 'norms of query and key heads';
const EXPERTS = 'experts in a dense model';
const CAUSAL = 'attention that is not causal';
const AHEAD = 'layers that guess ahead';
const POSITIONS = 'other position embeddings';

/** What every model here has not. */
const NEUTRAL: Rules = {
  ...all(only('attention to another model', false), 'add_cross_attention'),
  ...all(only('attention to another model'), 'cross_attention_hidden_size'),
  ...all(only(ENCODER, false), 'tie_encoder_decoder', 'is_encoder_decoder'),
  tf_legacy_loss: only('a setting of TensorFlow', false),
  pruned_heads: only('heads that are cut out', {}),
  ...all(only(CAUSAL, true), 'is_causal', 'causal'),
  ...all(only(CAUSAL, false), 'use_bidirectional_attention', 'bidirectional', 'use_bidirectional'),
  ...all(only('biases of attention', false), 'attention_bias', 'attention_out_bias', 'attn_bias', 'o_proj_bias'),
  ...all(only('biases of attention', false), 'qkv_bias', 'use_qkv_bias', 'add_qkv_bias'),
  ...all(only('biases of the feed-forward', false), 'mlp_bias', 'ffn_bias'),
  ...all(only(BIASES, false), 'use_bias', 'bias', 'add_bias_linear', 'use_attention_bias'),
  ...all(only(BIASES, true), 'no_bias'),
  lm_head_bias: only('a bias of the logits', false),
  ...all(only(NORMS, false), 'qk_layernorm', 'use_qk_norm', 'qk_norm', 'use_qk_layernorm'),
  ...all(only('a parallel residual', false), 'use_parallel_residual', 'parallel_attn', 'parallel_residual'),
  ...all(only('a parallel residual', false), 'use_parallel_block'),
  ...all(only('other norms', true), 'use_rmsnorm', 'use_rms_norm'),
  // Positions.
  ...all(only('multi-axis rope', false), 'use_mrope', 'position_embedding_xdrope'),
  ...all(only('multi-axis rope'), 'mrope_section', 'xdrope_section'),
  ...all(only('ALiBi', false), 'alibi', 'use_alibi'),
  ...all(only(POSITIONS, true), 'use_rotary_pos_emb', 'use_rope', 'use_rotary', 'rotary', 'use_rotary_embeddings'),
  ...all(only(POSITIONS, 'rope', 'rotary'), 'position_embedding_type'),
  ...all(only('positions that count otherwise', 1), 'interpolate_factor', 'rotary_scaling_factor', 'rope_ratio'),
  ...all(only('positions that count otherwise', 1), 'compression_ratio', 'rope_scaling_factor'),
  ...all(only('pairs of rope that are neighbours', false), 'rope_interleaved', 'rope_interleave'),
  original_max_position_embeddings: 'unused', // rope scaling that counts by it has read it
  // Attention.
  full_attn_mod: only('attention that is full in some layers', 1),
  ...all(only(LATENT, 0), 'kv_lora_rank', 'q_lora_rank', 'qk_nope_head_dim', 'qk_rope_head_dim', 'v_head_dim'),
  ...all(only(LATENT, false), 'use_mla'),
  use_cla: only('keys and values that layers share', false),
  clip_qkv: only('clamping of queries, keys and values'),
  attention_chunk_size: only('attention in chunks', 0),
  attn_logit_softcapping: only('soft capping of attention'),
  final_logit_softcapping: only('soft capping of logits'),
  ...all(only('attention sinks', false), 'attention_sinks', 'use_attention_sinks', 'attention_sink'),
  scale_attn_weights: only('attention without its scale', true),
  scale_attn_by_inverse_layer_idx: only('a scale of attention in each layer', false),
  ...all(only('a scale of the embedding', 1), 'embedding_multiplier', 'scale_emb'),
  ...all(only('a scale of the residual', 1), 'residual_multiplier'),
  ...all(only('a scale of the logits', 1), 'logits_scaling', 'logit_scale'),
  // Windows, of models that have none.
  sliding_window: {
    holds: (value, { context }) => typeof value === 'number' && value >= context,
    needed: ({ context }) => `must be ${context} or more`,
  },
  use_sliding_window: only('windows', false),
  max_window_layers: 'unused',
  // Experts, of dense models.
  ...all(only(EXPERTS, 0), 'num_experts', 'num_local_experts', 'n_routed_experts', 'num_experts_per_tok'),
  ...all(only(EXPERTS, 0), 'moe_num_experts', 'n_shared_experts', 'shared_expert_intermediate_size'),
  use_moe: only(EXPERTS, false),
  ...all(only('experts in groups', 1), 'n_group', 'topk_group'),
  // Of every layer, where there are experts at all.
  ...all(only('dense layers beside those with experts', 1), 'decoder_sparse_step', 'moe_layer_freq'),
  mlp_only_layers: only('dense layers beside those with experts', []),
  ...all(only(AHEAD, 0), 'num_nextn_predict_layers', 'num_mtp_layers', 'mtp_num_layers', 'num_mtp_modules'),
  use_mtp: only(AHEAD, false),
  add_tail_layers: only('layers beside those that are counted', 0, false),
  // Weights that the tensors themselves tell.
  ...all(only('a model that is quantized already', false), 'is_quantized'),
};

/** Other programs' names of what is computed with. */
const SAME: Rules = {
  ...twice('numbers of layers', ({ layers }) => layers, 'n_layer', 'n_layers', 'num_layers'),
  ...twice('numbers of heads', ({ heads }) => heads, 'n_head', 'n_heads', 'num_heads'),
  ...twice('numbers of KV heads', ({ headsKv }) => headsKv, 'num_kv_heads', 'n_kv_heads', 'n_head_kv'),
  ...twice('numbers of KV heads', ({ headsKv }) => headsKv, 'num_query_groups', 'multi_query_group_num'),
  ...twice('sizes of heads', ({ headSize }) => headSize, 'kv_channels', 'attention_head_dim', 'head_size', 'd_head'),
  ...twice('widths', ({ hidden }) => hidden, 'n_embd', 'd_model'),
  ...twice('widths of the feed-forward', ({ feedForward }) => feedForward, 'n_inner', 'ffn_hidden_size', 'd_ff'),
  ...twice('widths of the feed-forward', ({ feedForward }) => feedForward, 'ffn_dim', 'mlp_intermediate_size'),
  ...twice('vocabularies', ({ vocabulary }) => vocabulary, 'padded_vocab_size', 'n_vocab'),
  ...twice('epsilons of the norms', ({ epsilon }) => epsilon, 'rms_norm_eps', 'rms_norm_epsilon', 'norm_eps'),
  ...twice('epsilons of the norms', ({ epsilon }) => epsilon, 'layer_norm_eps', 'layer_norm_epsilon', 'norm_epsilon'),
  ...twice('epsilons of the norms', ({ epsilon }) => epsilon, 'layernorm_epsilon', 'layernorm_eps'),
  ...twice('bases of rope', ({ ropeBase }) => ropeBase, 'rotary_base', 'rotary_emb_base', 'rope_base'),
  ...twice('parts of each head that are rotated', ropePart, 'rotary_pct', 'rope_pct', 'rotary_percent', 'rope_percent'),
  ...twice('parts of each head that are rotated', ({ ropeDimensions }) => ropeDimensions, 'rotary_dim', 'rotary_ndims'),
  ...twice('sizes of a window', ({ window }) => window, 'sliding_window_size', 'window_size'),
  attention_multiplier: same('a scale of attention', ({ headSize }) => 1 / Math.sqrt(headSize)),
};

function ropePart({ ropeDimensions, headSize }: Facts): number {
  return ropeDimensions / headSize;
}

export const SHARED_RULES: Rules = { ...SAME, ...NEUTRAL };
