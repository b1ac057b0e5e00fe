/** config.json, key by key: what nobody asked for is refused in the end, as it may change what the model computes. */
import { ModelFileError, UnsupportedError } from '../../errors.js';
import { quote } from '../quote.js';
import { isObject, type Json, type JsonObject, kindOf } from './json.js';

/** What says nothing of the forward pass: training, generation, bookkeeping. */
const HARMLESS: readonly string[] = [
  ...['architectures', 'model_type', 'transformers_version', '_name_or_path', 'auto_map', 'dtype', 'torch_dtype'],
  ...['bos_token_id', 'eos_token_id', 'pad_token_id', 'sep_token_id', 'unk_token_id', 'decoder_start_token_id'],
  ...['initializer_range', 'initializer_factor', 'use_cache', 'cache_implementation', 'pretraining_tp'],
  ...['attention_dropout', 'hidden_dropout', 'resid_pdrop', 'embd_pdrop', 'residual_dropout', 'embedding_dropout'],
  ...['attn_pdrop', 'classifier_dropout', 'id2label', 'label2id', 'num_labels', 'problem_type', 'task_specific_params'],
  ...['output_attentions', 'output_hidden_states', 'return_dict', 'torchscript', 'finetuning_task', 'tokenizer_class'],
  ...['_attn_implementation', '_attn_implementation_autoset', 'attn_implementation', '_experts_implementation'],
  ...['use_flash_attn', 'gradient_checkpointing', 'chunk_size_feed_forward', 'is_decoder', 'unsloth_version'],
  ...['unsloth_fixed', 'is_llama_config', 'transformers.js_config', '_commit_hash', 'max_sequence_length'],
  ...['router_aux_loss_coef', 'output_router_logits', 'router_jitter_noise', 'z_loss_coefficient', 'z_loss_weight'],
  // Of generation, which older versions kept here.
  ...['max_length', 'min_length', 'do_sample', 'early_stopping', 'num_beams', 'num_beam_groups', 'diversity_penalty'],
  ...['temperature', 'top_k', 'top_p', 'typical_p', 'repetition_penalty', 'length_penalty', 'no_repeat_ngram_size'],
  ...['encoder_no_repeat_ngram_size', 'bad_words_ids', 'num_return_sequences', 'output_scores', 'suppress_tokens'],
  ...['return_dict_in_generate', 'forced_bos_token_id', 'forced_eos_token_id', 'remove_invalid_values'],
  ...['exponential_decay_length_penalty', 'begin_suppress_tokens', 'prefix'],
];

export class ConfigReader {
  readonly #asked = new Set(HARMLESS);

  constructor(
    /** Of config.json, for errors. */
    readonly path: string,
    private readonly values: JsonObject,
    /** "rope_parameters" for an object in config.json. */
    private readonly inside = '',
  ) {}

  /** undefined for an absent key and for null. */
  get(key: string): Json | undefined {
    this.#asked.add(key);
    return Object.hasOwn(this.values, key) ? (this.values[key] ?? undefined) : undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value) => (typeof value === 'number' ? value : undefined));
  }

  uint(key: string): number | undefined {
    const isUint = (value: Json): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.#typed(key, 'an unsigned integer', (value) => (isUint(value) ? value : undefined));
  }

  bool(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'a string', (value) => (typeof value === 'string' ? value : undefined));
  }

  numbers(key: string): readonly number[] | undefined {
    const areNumbers = (value: Json): value is number[] =>
      Array.isArray(value) && value.every((item) => typeof item === 'number');
    return this.#typed(key, 'a list of numbers', (value) => (areNumbers(value) ? value : undefined));
  }

  strings(key: string): readonly string[] | undefined {
    const areStrings = (value: Json): value is string[] =>
      Array.isArray(value) && value.every((item) => typeof item === 'string');
    return this.#typed(key, 'a list of strings', (value) => (areStrings(value) ? value : undefined));
  }

  /** An object in it, to be read and finished like this one. */
  object(key: string): ConfigReader | undefined {
    const value = this.#typed(key, 'an object', (value) => (isObject(value) ? value : undefined));
    return value && new ConfigReader(this.path, value, this.name(key));
  }

  /** The key as config.json has it, with what it is in. */
  name(key: string): string {
    return this.inside === '' ? key : `${this.inside}.${key}`;
  }

  require<T>(key: string, value: T | undefined): T {
    return value ?? this.fail(key, 'expected a value, found none');
  }

  fail(key: string, problem: string): never {
    throw new ModelFileError(this.path, `key ${quote(this.name(key))}`, problem);
  }

  /** Errors: UnsupportedError, unless the key is absent, null or one of these. */
  only(key: string, neutral: readonly Json[], feature: string): void {
    const value = this.get(key);
    if (value === undefined || neutral.some((one) => JSON.stringify(one) === JSON.stringify(value))) return;
    this.refuse(key, feature, `must be ${neutral.map((one) => JSON.stringify(one)).join(', ')} or absent`);
  }

  refuse(key: string, feature: string, needed: string): never {
    const hint = `key ${quote(this.name(key))} ${needed}, found ${kindOf(this.get(key))}`;
    throw new UnsupportedError(this.path, feature, hint);
  }

  /** Errors: UnsupportedError that names a key which nobody asked for. */
  finish(model: string): void {
    for (const [key, value] of Object.entries(this.values)) {
      if (this.#asked.has(key) || value === null) continue;
      throw new UnsupportedError(
        this.path,
        `${model} with a setting that this compiler does not know`,
        `key ${quote(this.name(key))} (${kindOf(value)}) may change what the model computes`,
      );
    }
  }

  #typed<T>(key: string, expected: string, convert: (value: Json) => T | undefined): T | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    return convert(value) ?? this.fail(key, `expected ${expected}, found ${kindOf(value)}`);
  }
}
