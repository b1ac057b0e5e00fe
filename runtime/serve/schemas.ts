/** Bodies of requests as JSON schemas. Fields that are only refused, whatever is in them, are in unsupported.ts. */

type Schema = Readonly<Record<string, unknown>>;

const nullable = (type: string, limits: Schema = {}): Schema => ({ type: [type, 'null'], ...limits });
const number = (minimum: number, maximum: number) => nullable('number', { minimum, maximum });
const integer = (minimum: number, maximum: number) => nullable('integer', { minimum, maximum });
const boolean = nullable('boolean');

const MAX_INT32 = 2 ** 31 - 1;
const tokenId: Schema = { type: 'integer', minimum: 0, maximum: MAX_INT32 };
const tokenIds: Schema = { type: 'array', items: tokenId, minItems: 1 };

/** Sent by clients for the service's own ends; nothing of them could change an answer. */
const IGNORED = {
  user: nullable('string'),
  safety_identifier: nullable('string'),
  prompt_cache_key: nullable('string'),
  prompt_cache_retention: nullable('string'),
  service_tier: nullable('string'),
  metadata: nullable('object'),
  store: boolean,
};

const SAMPLING = {
  model: { type: 'string' },
  temperature: number(0, 2),
  top_p: number(0, 1),
  presence_penalty: number(-2, 2),
  frequency_penalty: number(-2, 2),
  logit_bias: nullable('object', { additionalProperties: { type: 'number', minimum: -100, maximum: 100 } }),
  seed: integer(-1, Number.MAX_SAFE_INTEGER),
  max_tokens: integer(1, MAX_INT32),
  n: integer(1, 128),
  stop: {
    description: 'a string, or a list of at most 4 strings, none empty',
    anyOf: [
      { type: 'null' },
      { type: 'string', minLength: 1 },
      { type: 'array', items: { type: 'string', minLength: 1 }, maxItems: 4 },
    ],
  },
  stream: boolean,
  stream_options: nullable('object', {
    properties: { include_usage: boolean, include_obfuscation: boolean },
    additionalProperties: false,
  }),
  // As llama.cpp's server has them.
  top_k: integer(0, MAX_INT32),
  min_p: number(0, 1),
  repeat_penalty: nullable('number', { exclusiveMinimum: 0, maximum: 100 }),
  repeat_last_n: integer(-1, MAX_INT32),
  ignore_eos: boolean,
};

const contentPart: Schema = {
  type: 'object',
  required: ['type'],
  properties: { type: { type: 'string' }, text: { type: 'string' } },
};

const message: Schema = {
  type: 'object',
  required: ['role'],
  properties: {
    role: { enum: ['system', 'developer', 'user', 'assistant', 'tool', 'function'] },
    content: {
      description: 'a string, or a list of parts of type "text"',
      anyOf: [{ type: 'null' }, { type: 'string' }, { type: 'array', items: contentPart, minItems: 1 }],
    },
    name: nullable('string'),
    reasoning_content: nullable('string'),
  },
};

export const CHAT_BODY: Schema = {
  type: 'object',
  required: ['messages'],
  properties: {
    ...IGNORED,
    ...SAMPLING,
    messages: { type: 'array', items: message, minItems: 1 },
    max_completion_tokens: integer(1, MAX_INT32),
    logprobs: boolean,
    top_logprobs: integer(0, 20),
    parallel_tool_calls: boolean,
    chat_template_kwargs: nullable('object', { additionalProperties: { type: ['boolean', 'number'] } }),
  },
};

export const COMPLETION_BODY: Schema = {
  type: 'object',
  required: ['prompt'],
  properties: {
    ...IGNORED,
    ...SAMPLING,
    prompt: {
      description: 'a string, a list of token ids, or a list of such; none empty',
      anyOf: [
        { type: 'string' },
        tokenIds,
        { type: 'array', items: { type: 'string' }, minItems: 1 },
        { type: 'array', items: tokenIds, minItems: 1 },
      ],
    },
    logprobs: integer(0, 20),
  },
};

export const TOKENIZE_BODY: Schema = {
  type: 'object',
  required: ['content'],
  additionalProperties: false,
  properties: { content: { type: 'string' }, add_special: { type: 'boolean' }, parse_special: { type: 'boolean' } },
};

export const DETOKENIZE_BODY: Schema = {
  type: 'object',
  required: ['tokens'],
  additionalProperties: false,
  properties: { tokens: { type: 'array', items: tokenId } },
};

/** What the schemas let through. */
export interface SamplingBody {
  readonly model?: string;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly logit_bias?: Readonly<Record<string, number>> | null;
  readonly seed?: number | null;
  readonly max_tokens?: number | null;
  readonly n?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  readonly top_k?: number | null;
  readonly min_p?: number | null;
  readonly repeat_penalty?: number | null;
  readonly repeat_last_n?: number | null;
  readonly ignore_eos?: boolean | null;
}

export interface ContentPart {
  readonly type: string;
  readonly text?: string;
}

export interface MessageBody {
  readonly role: string;
  readonly content?: string | readonly ContentPart[] | null;
  readonly name?: string | null;
  readonly reasoning_content?: string | null;
  readonly [key: string]: unknown;
}

export interface ChatBody extends SamplingBody {
  readonly messages: readonly MessageBody[];
  readonly max_completion_tokens?: number | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly chat_template_kwargs?: Readonly<Record<string, boolean | number>> | null;
}

export interface CompletionBody extends SamplingBody {
  readonly prompt: string | readonly number[] | readonly string[] | readonly (readonly number[])[];
  readonly logprobs?: number | null;
}

export interface TokenizeBody {
  readonly content: string;
  readonly add_special?: boolean;
  readonly parse_special?: boolean;
}

export interface DetokenizeBody {
  readonly tokens: readonly number[];
}
