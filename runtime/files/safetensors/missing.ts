/** What a model type that is not supported would need, as far as the keys of its config.json tell. */
import type { JsonObject } from '../json.js';

const SIGNS: readonly (readonly [key: RegExp, feature: string])[] = [
  [/^(state_size|ssm_|mamba_|time_step_rank|d_state$|n_groups$)/, 'state-space layers'],
  [/^(attention_hidden_size|rescale_every|head_size_divisor)$/, 'RWKV time mixing'],
  [/^(kv_lora_rank|q_lora_rank|qk_nope_head_dim)$/, 'multi-head latent attention'],
  [/^linear_(conv_kernel_dim|num_value_heads|key_head_dim)$/, 'linear attention (gated delta net)'],
  [/^(vision_config|image_token_id|image_token_index|visual)$/, 'vision parts'],
  [/^(audio_config|audio_token_id|num_mel_bins)$/, 'audio parts'],
  [/^(is_encoder_decoder|decoder_layers|num_decoder_layers|encoder_layers)$/, 'an encoder beside the decoder'],
  [/^type_vocab_size$/, 'attention that is not causal'],
  [/^(conv_L_cache|conv_dim|short_conv)/, 'short convolutions'],
  [/^(index_n_heads|index_topk|sparse_)/, 'sparse attention'],
  [/^(alibi|alibi_bias_max)$/, 'ALiBi'],
  [/^(n_positions|position_embedding_type|relative_attention_num_buckets)$/, 'position embeddings other than rope'],
  [/^(parallel_attn|use_parallel_residual|new_decoder_architecture)$/, 'a parallel residual'],
  [/^(laurel_rank|altup_|hidden_size_per_layer_input)/, 'per-layer embeddings'],
  [/^(num_nextn_predict_layers|num_mtp_)/, 'multi-token prediction'],
  [/^(recurrent_block_type|lru_width|block_types)$/, 'recurrent layers'],
];

/** Features in plain words, each once; keys that say "no" do not count. */
export function missingOf(config: JsonObject): string[] {
  const keys = Object.entries(config).filter(([, value]) => value !== null && value !== false && value !== 0);
  return SIGNS.filter(([sign]) => keys.some(([key]) => sign.test(key))).map(([, feature]) => feature);
}
