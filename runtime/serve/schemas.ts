/** Bodies of requests as JSON schemas. Parameters of completions are in fields.ts. */
import type { ToolCall } from '../llm/index.js';
import { schemasOf } from './fields.js';
import type { FormatBody } from './format_schemas.js';
import { integer, nullable, type Schema } from './schema_parts.js';

const MAX_INT32 = 2 ** 31 - 1;
const tokenId: Schema = { type: 'integer', minimum: 0, maximum: MAX_INT32 };
const tokenIds: Schema = { type: 'array', items: tokenId, minItems: 1 };

const contentPart: Schema = {
  type: 'object',
  required: ['type'],
  properties: { type: { type: 'string' }, text: { type: 'string' } },
};

const toolCall: Schema = {
  type: 'object',
  required: ['id', 'type', 'function'],
  properties: {
    id: { type: 'string' },
    type: { enum: ['function'] },
    function: {
      type: 'object',
      required: ['name', 'arguments'],
      properties: { name: { type: 'string' }, arguments: { type: 'string' } },
    },
  },
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
    reasoning: nullable('string'),
    tool_calls: nullable('array', { items: toolCall }),
    tool_call_id: nullable('string'),
  },
};

export const CHAT_BODY: Schema = {
  type: 'object',
  required: ['messages'],
  properties: {
    ...schemasOf('chat'),
    messages: { type: 'array', items: message, minItems: 1 },
  },
};

export const COMPLETION_BODY: Schema = {
  type: 'object',
  required: ['prompt'],
  properties: {
    ...schemasOf('completion'),
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
    max_tokens: integer(0, MAX_INT32), // 0: with echo
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
export interface SamplingBody extends FormatBody {
  readonly model?: string;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly logit_bias?: Readonly<Record<string, number>> | null;
  readonly seed?: number | null;
  readonly max_tokens?: number | null;
  readonly echo?: boolean | null;
  readonly n?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  readonly top_k?: number | null;
  readonly min_p?: number | null;
  readonly repeat_penalty?: number | null;
  readonly repeat_last_n?: number | null;
  readonly ignore_eos?: boolean | null;
  readonly n_predict?: number | null;
  readonly n_cmpl?: number | null;
  readonly n_probs?: number | null;
  readonly repetition_penalty?: number | null;
  readonly include_stop_str_in_output?: boolean | null;
  readonly add_special_tokens?: boolean | null;
  readonly truncate_prompt_tokens?: number | null;
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
  readonly reasoning?: string | null;
  readonly tool_calls?: readonly ToolCall[] | null;
  readonly tool_call_id?: string | null;
  readonly [key: string]: unknown;
}

export interface ChatBody extends SamplingBody {
  readonly messages: readonly MessageBody[];
  readonly max_completion_tokens?: number | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
  readonly reasoning_effort?: string | null;
  readonly enable_thinking?: boolean | null;
  readonly documents?: readonly object[] | null;
  readonly add_generation_prompt?: boolean | null;
  readonly tools?: readonly object[] | null;
  readonly tool_choice?: string | object | null;
  readonly parallel_tool_calls?: boolean | null;
  readonly parse_tool_calls?: boolean | null;
  readonly include_reasoning?: boolean | null;
  readonly reasoning_format?: string | null;
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
