/** Keys of config.json that say nothing of the forward pass, whatever their value: any model type may have them. */
const KEYS: ReadonlySet<string> = new Set([
  // transformers: classes, versions, what a forward pass returns, how it is computed.
  ...['architectures', 'model_type', 'transformers_version', '_name_or_path', 'name_or_path', '_commit_hash'],
  ...['auto_map', '_auto_class', 'custom_pipelines', 'dtype', 'torch_dtype', 'is_decoder', 'is_composition'],
  ...['return_dict', 'use_return_dict', 'torchscript', 'xla_device', 'chunk_size_feed_forward', 'keys_to_ignore'],
  ...['keys_to_ignore_at_inference', 'output_attentions', 'output_hidden_states', 'output_router_logits'],
  ...['_attn_implementation', '_attn_implementation_internal', '_attn_implementation_autoset', 'attn_implementation'],
  ...['_experts_implementation', '_experts_implementation_internal', 'experts_implementation', 'kernel_config'],
  ...['_flash_attn_2_enabled', 'use_flash_attn', 'use_flash_attention', 'use_flash_attention_2', 'flash_attn'],
  ...['flash_attention', 'use_sdpa', 'use_memory_efficient_attention', 'reorder_and_upcast_attn', 'use_grouped_mm'],
  ...['use_kernels', 'use_fast_ln', 'use_liger_kernel', 'use_recompute', 'recompute', 'sequence_parallel'],
  ...['base_model_tp_plan', 'base_model_pp_plan', 'base_model_ep_plan', 'base_model_fsdp_plan', 'pretraining_tp'],
  ...['tensor_parallel_degree', 'tp_size', 'ep_size', 'num_key_value_groups'],
  // Of classifiers.
  ...['id2label', 'label2id', 'num_labels', '_num_labels', 'problem_type', 'finetuning_task', 'task_specific_params'],
  // Training.
  ...['initializer_range', 'initializer_factor', 'init_std', 'gradient_checkpointing', 'gradient_checkpointing_kwargs'],
  ...['router_aux_loss_coef', 'router_jitter_noise', 'input_jitter_noise', 'moe_aux_loss_coeff', 'aux_loss_alpha'],
  ...['seq_aux', 'label_smoothing', 'ignore_index', 'ignored_index', 'neftune_noise_alpha', 'sinkhorn_temp'],
  ...['sinkhorn_2gate', 'num_steps', 'seed', 'moe_capacity', 'moe_reverse_token_drop', 'moe_drop_tokens'],
  ...['moe_random_routing_dropped_token', 'capacity_factor', 'use_bfloat16'],
  // Text: tokens, templates, lengths.
  ...['tokenizer_class', 'tokenizer_padding_side', 'tokenizer_model_max_length', 'model_max_length', 'prefix'],
  ...['bos_token', 'eos_token', 'pad_token', 'unk_token', 'chat_template', 'dummy_token_index', 'vocab_file'],
  ...['max_sequence_length', 'max_seq_length', 'max_seq_len', 'seq_length', 'sequence_length', 'n_ctx', 'n_positions'],
  ...['pad_vocab_size_multiple', 'pad_vocab_size_multiple_of', 'make_vocab_size_divisible_by', 'org_vocab_size'],
  ...['unpadded_vocab_size'],
  // Who made the file.
  ...['unsloth_version', 'unsloth_fixed', 'transformers.js_config', 'model_name', 'base_model', 'paddlenlp_version'],
  ...['is_llama_config', 'language', 'license', 'tags'],
  // Generation, which older versions kept here.
  ...['use_cache', 'cache_implementation', 'cache_config', 'max_length', 'max_new_tokens', 'min_length'],
  ...['min_new_tokens', 'max_time', 'stop_strings', 'do_sample', 'early_stopping', 'num_beams', 'num_beam_groups'],
  ...['diversity_penalty', 'temperature', 'top_k', 'top_p', 'top_h', 'min_p', 'typical_p', 'epsilon_cutoff'],
  ...['eta_cutoff', 'repetition_penalty', 'encoder_repetition_penalty', 'length_penalty', 'no_repeat_ngram_size'],
  ...['encoder_no_repeat_ngram_size', 'bad_words_ids', 'force_words_ids', 'renormalize_logits', 'constraints'],
  ...['remove_invalid_values', 'exponential_decay_length_penalty', 'suppress_tokens', 'begin_suppress_tokens'],
  ...['sequence_bias', 'token_healing', 'guidance_scale', 'watermarking_config', 'num_return_sequences'],
  ...['output_scores', 'output_logits', 'return_dict_in_generate', 'is_assistant', 'num_assistant_tokens'],
  ...['num_assistant_tokens_schedule', 'assistant_confidence_threshold', 'prompt_lookup_num_tokens'],
  ...['assistant_early_exit', 'assistant_lookbehind', 'target_lookbehind', 'max_matching_ngram_size'],
  ...['compile_config', 'disable_compile', 'low_memory', 'penalty_alpha', 'dola_layers', 'prefill_chunk_size'],
  ...['_from_model_config', 'generation_config'],
]);

const PATTERNS: readonly RegExp[] = [
  // Dropout, which drops nothing once training is over: attn_pdrop, attention_probs_dropout_prob, drop_path_rate, ...
  /(^|_)(p?drop|dropout|layerdrop|drop_path)(_(p|prob|rate|ratio))?$/,
  // What training adds to its loss.
  /(^|_)loss(_|$)/,
  /(^|_)token_ids?$/,
  // Kernels that do in one what others do in several.
  /^(use_)?fused?_/,
];

export const isBookkeeping = (key: string): boolean => KEYS.has(key) || PATTERNS.some((pattern) => pattern.test(key));
