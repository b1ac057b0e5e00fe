/**
 * Every parameter of a completion that this server has an answer to: of OpenAI's API, and of llama.cpp's and vLLM's servers. What is
 * done with it, what is ignored because no answer depends on it, and what is refused because ignoring it would give another
 * answer than the one that was asked for. docs/serve.md lists the same.
 */

import { FORMAT_FIELDS } from './format_schemas.js';
import {
  asMany,
  atLeast,
  atMost,
  empty,
  type Harmless,
  oneOf,
  samplerOrder,
  textAlone,
  withoutPenalties,
} from './harmless.js';
import { boolean, integer, nullable, number, type Schema } from './schema_parts.js';
import { toolChoice, tools } from './tool_schemas.js';

/** Bodies that have it; both unless said. */
type Where = 'chat' | 'completion';

export type Field = { readonly only?: Where } & (
  | { readonly does: Schema }
  /** Of this type, whatever its value. */
  | { readonly ignored: Schema }
  /** Why, and what is let through all the same. */
  | { readonly refused: string; readonly unless?: Harmless }
);

const MAX_INT32 = 2 ** 31 - 1;
const text = nullable('string');

const FUNCTIONS = 'The older form of tool calls is not supported by this server; see tools.';
const CONSTRAINED =
  'This server constrains answers by response_format, structured_outputs and grammar alone, from their beginning.';
const SAMPLER = 'This way of sampling is not supported by this server.';
const THINKING =
  'This server cannot limit what a model thinks; see reasoning_effort and enable_thinking for what the template knows.';

export const FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  // What is asked, and how much is written.
  ['model', { does: { type: 'string' } }],
  ['max_tokens', { does: integer(1, MAX_INT32) }],
  ['max_completion_tokens', { only: 'chat', does: integer(1, MAX_INT32) }],
  ['n_predict', { does: integer(-1, MAX_INT32) }],
  ['n', { does: integer(1, 128) }],
  ['n_cmpl', { does: integer(1, 128) }],
  [
    'stop',
    {
      does: {
        description: 'a string, or a list of at most 4 strings, none empty',
        anyOf: [
          { type: 'null' },
          { type: 'string', minLength: 1 },
          { type: 'array', items: { type: 'string', minLength: 1 }, maxItems: 4 },
        ],
      },
    },
  ],
  ['include_stop_str_in_output', { does: boolean }],
  ['ignore_eos', { does: boolean }],
  ['echo', { does: boolean }],
  ['stream', { does: boolean }],
  [
    'stream_options',
    {
      does: nullable('object', {
        properties: {
          include_usage: boolean,
          include_obfuscation: boolean,
          continuous_usage_stats: { enum: [false, null] },
        },
        additionalProperties: false,
      }),
    },
  ],
  ['logprobs', { only: 'chat', does: boolean }],
  ['top_logprobs', { only: 'chat', does: integer(0, 20) }],
  ['n_probs', { does: integer(0, 20) }],

  // Which token comes next.
  ['temperature', { does: number(0, 2) }],
  ['top_k', { does: integer(-1, MAX_INT32) }],
  ['top_p', { does: number(0, 1) }],
  ['min_p', { does: number(0, 1) }],
  ['presence_penalty', { does: number(-2, 2) }],
  ['frequency_penalty', { does: number(-2, 2) }],
  ['repeat_penalty', { does: nullable('number', { exclusiveMinimum: 0, maximum: 100 }) }],
  ['repetition_penalty', { does: nullable('number', { exclusiveMinimum: 0, maximum: 100 }) }],
  ['repeat_last_n', { does: integer(-1, MAX_INT32) }],
  [
    'logit_bias',
    { does: nullable('object', { additionalProperties: { type: 'number', minimum: -100, maximum: 100 } }) },
  ],
  ['seed', { does: integer(-1, Number.MAX_SAFE_INTEGER) }],

  // How the prompt is made.
  ['chat_template_kwargs', { only: 'chat', does: nullable('object') }],
  ['reasoning_effort', { only: 'chat', does: text }],
  ['enable_thinking', { only: 'chat', does: boolean }],
  ['documents', { only: 'chat', does: nullable('array', { items: { type: 'object' } }) }],
  ['add_generation_prompt', { only: 'chat', does: boolean }],
  ['add_special_tokens', { does: boolean }],
  ['truncate_prompt_tokens', { does: integer(-1, MAX_INT32) }],

  // What of the answer is calls of functions, and what the model thinks.
  ['tools', { only: 'chat', does: tools }],
  ['tool_choice', { only: 'chat', does: toolChoice }],
  ['parallel_tool_calls', { only: 'chat', does: boolean }],
  ['parse_tool_calls', { only: 'chat', does: boolean }],
  ['include_reasoning', { only: 'chat', does: boolean }],
  ['reasoning_format', { only: 'chat', does: { enum: ['none', 'auto', 'deepseek', null] } }],

  // Of which format the answer is.
  ...Object.entries(FORMAT_FIELDS).map(([name, does]): [string, Field] => [name, { does }]),

  // For the service's own ends: OpenAI's.
  ['user', { ignored: text }],
  ['safety_identifier', { ignored: text }],
  ['prompt_cache_key', { ignored: text }],
  ['prompt_cache_retention', { ignored: text }],
  ['service_tier', { ignored: text }],
  ['metadata', { ignored: nullable('object') }],
  ['store', { ignored: boolean }],
  // Where, when and how fast it is computed: llama.cpp's.
  ['cache_prompt', { ignored: boolean }],
  ['id_slot', { ignored: integer(-1, MAX_INT32) }],
  ['n_cache_reuse', { ignored: integer(0, MAX_INT32) }],
  ['n_keep', { ignored: integer(-1, MAX_INT32) }],
  ['n_discard', { ignored: integer(0, MAX_INT32) }],
  ['backend_sampling', { ignored: boolean }],
  ['speculative.n_max', { ignored: integer(0, MAX_INT32) }],
  ['speculative.n_min', { ignored: integer(0, MAX_INT32) }],
  ['speculative.p_min', { ignored: number(0, 1) }],
  // What llama.cpp adds to its answers, beside OpenAI's fields.
  ['timings_per_token', { ignored: boolean }],
  ['return_progress', { ignored: boolean }],
  ['return_tokens', { ignored: boolean }],
  ['verbose', { ignored: boolean }],
  // Of samplers that are off.
  ['mirostat_tau', { ignored: nullable('number') }],
  ['mirostat_eta', { ignored: nullable('number') }],
  ['dynatemp_exponent', { ignored: nullable('number') }],
  ['xtc_threshold', { ignored: nullable('number') }],
  ['dry_base', { ignored: nullable('number') }],
  ['dry_allowed_length', { ignored: nullable('integer') }],
  ['dry_penalty_last_n', { ignored: nullable('integer') }],
  ['dry_sequence_breakers', { ignored: nullable('array') }],
  ['adaptive_decay', { ignored: nullable('number') }],
  ['length_penalty', { ignored: nullable('number') }],
  ['early_stopping', { ignored: boolean }],
  // vLLM's.
  ['priority', { ignored: nullable('integer') }],
  ['request_id', { ignored: text }],
  ['spaces_between_special_tokens', { ignored: boolean }],
  ['guided_decoding_backend', { ignored: text }],
  ['guided_whitespace_pattern', { ignored: text }],

  // OpenAI's.
  ['functions', { refused: FUNCTIONS, unless: empty }],
  ['function_call', { refused: FUNCTIONS, unless: oneOf('none', 'auto') }],
  ['modalities', { refused: 'Only text is supported by this server.', unless: textAlone }],
  ['audio', { refused: 'Audio is not supported by this server.' }],
  ['prediction', { refused: 'Predicted outputs are not supported by this server.' }],
  ['web_search_options', { refused: 'Web search is not supported by this server.' }],
  ['verbosity', { refused: 'A verbosity is not supported by this server.', unless: oneOf('medium') }],
  ['moderation', { refused: 'Moderation is not supported by this server.' }],
  ['best_of', { refused: 'Choosing the best of several completions is not supported by this server.', unless: asMany }],
  ['suffix', { refused: 'Inserting before a suffix is not supported by this server.', unless: oneOf('') }],
  // Answers that are constrained in other ways.
  ['guided_decoding', { refused: CONSTRAINED }],
  ['structural_tag', { refused: CONSTRAINED, unless: oneOf('') }],
  ['grammar_lazy', { refused: CONSTRAINED, unless: oneOf(false) }],
  // Samplers, and when to stop.
  ['samplers', { refused: 'Samplers are applied in one order by this server.', unless: samplerOrder }],
  ['tfs_z', { refused: SAMPLER, unless: atLeast(1) }],
  ['typical_p', { refused: SAMPLER, unless: atLeast(1) }],
  ['mirostat', { refused: SAMPLER, unless: oneOf(0) }],
  ['dynatemp_range', { refused: SAMPLER, unless: atMost(0) }],
  ['xtc_probability', { refused: SAMPLER, unless: atMost(0) }],
  ['top_n_sigma', { refused: SAMPLER, unless: atMost(0) }],
  ['dry_multiplier', { refused: SAMPLER, unless: atMost(0) }],
  ['adaptive_target', { refused: SAMPLER, unless: oneOf(-1) }],
  ['min_keep', { refused: SAMPLER, unless: oneOf(0, 1) }],
  ['use_beam_search', { refused: SAMPLER, unless: oneOf(false) }],
  ['penalize_nl', { refused: SAMPLER, unless: withoutPenalties }],
  ['post_sampling_probs', { refused: 'Probabilities are given before sampling by this server.', unless: oneOf(false) }],
  [
    'min_tokens',
    { refused: 'A least number of tokens is not supported by this server; see ignore_eos.', unless: atMost(0) },
  ],
  ['stop_token_ids', { refused: 'Stop tokens are not supported by this server; see stop.', unless: empty }],
  ['bad_words', { refused: 'Words cannot be banned by this server; see logit_bias for tokens.', unless: empty }],
  ['allowed_token_ids', { refused: 'Only single tokens can be banned by this server; see logit_bias.' }],
  ['logits_processors', { refused: SAMPLER, unless: empty }],
  ['n_indent', { refused: 'An indentation is not supported by this server.', unless: atMost(0) }],
  [
    't_max_predict_ms',
    { refused: 'A limit of time is not supported by this server; see max_tokens.', unless: atMost(0) },
  ],
  // How the prompt is made, and what is shown.
  ['chat_template', { refused: 'A template comes with the model on this server.' }],
  [
    'continue_final_message',
    { refused: 'Continuing a message is not supported by this server.', unless: oneOf(false) },
  ],
  ['skip_special_tokens', { refused: 'Control tokens are never text on this server.', unless: oneOf(true) }],
  ['prompt_logprobs', { refused: 'Log probabilities of the prompt are not supported by this server.' }],
  ['return_tokens_as_token_ids', { refused: 'Tokens are named by their texts on this server.', unless: oneOf(false) }],
  ['return_token_ids', { refused: 'Ids of tokens are not given by this server; see /tokenize.', unless: oneOf(false) }],
  ['response_fields', { refused: 'Answers have all of their fields on this server.', unless: empty }],
  ['reasoning_budget', { refused: THINKING, unless: oneOf(-1) }],
  ['thinking_budget_tokens', { refused: THINKING, unless: oneOf(-1) }],
  ['thinking_token_budget', { refused: THINKING, unless: oneOf(-1) }],
  // What the server has not.
  ['lora', { refused: 'Adapters are not supported by this server.', unless: empty }],
  ['image_data', { refused: 'Only text is supported by this server.', unless: empty }],
  ['mm_processor_kwargs', { refused: 'Only text is supported by this server.', unless: empty }],
  ['media_io_kwargs', { refused: 'Only text is supported by this server.', unless: empty }],
  ['prompt_embeds', { refused: 'Only text is supported by this server.' }],
  ['cache_salt', { refused: 'All clients of this server share one KV cache.' }],
  ['kv_transfer_params', { refused: 'KV caches are not handed on by this server.', unless: empty }],
  ['vllm_xargs', { refused: 'Extensions are not supported by this server.', unless: empty }],
]);

/** Schemas of what a kind of body does and ignores, by name. */
export function schemasOf(kind: Where): Readonly<Record<string, Schema>> {
  const known = [...FIELDS].flatMap(([name, field]) => {
    if ((field.only ?? kind) !== kind || 'refused' in field) return [];
    return [[name, 'does' in field ? field.does : field.ignored] as const];
  });
  return Object.fromEntries(known);
}
