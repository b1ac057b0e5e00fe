/** Parameters of OpenAI's API that would change the answer and that this server has not: refused, never ignored. */
import { ApiError, unsupported } from './errors.js';
import { CHAT_BODY, COMPLETION_BODY, type MessageBody } from './schemas.js';

interface Refusal {
  readonly what: string;
  /** Values that ask for nothing beyond what the server does. */
  readonly harmless?: (value: unknown) => boolean;
}

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;
const oneOf =
  (...values: readonly unknown[]) =>
  (value: unknown) =>
    values.includes(value);
const TOOLS = 'Tool calls are not supported by this server; describe what you need in the messages.';
const REASONING =
  'A reasoning effort is not supported by this server; see chat_template_kwargs for what the template knows.';

const REFUSED: Readonly<Record<string, Refusal>> = {
  tools: { what: TOOLS, harmless: isEmpty },
  tool_choice: { what: TOOLS, harmless: oneOf('none', 'auto') },
  functions: { what: TOOLS, harmless: isEmpty },
  function_call: { what: TOOLS, harmless: oneOf('none', 'auto') },
  response_format: {
    what: 'Only the response format {"type": "text"} is supported by this server: it cannot constrain an answer to JSON or a schema.',
    harmless: (value) => typeof value === 'object' && value !== null && 'type' in value && value.type === 'text',
  },
  modalities: {
    what: 'Only text is supported by this server.',
    harmless: (value) => Array.isArray(value) && value.every((item) => item === 'text'),
  },
  audio: { what: 'Audio is not supported by this server.' },
  prediction: { what: 'Predicted outputs are not supported by this server.' },
  web_search_options: { what: 'Web search is not supported by this server.' },
  reasoning_effort: { what: REASONING },
  verbosity: { what: 'A verbosity is not supported by this server.' },
  moderation: { what: 'Moderation is not supported by this server.' },
  best_of: { what: 'Choosing the best of several completions is not supported by this server.', harmless: oneOf(1) },
  echo: { what: 'Repeating the prompt is not supported by this server.', harmless: oneOf(false) },
  suffix: { what: 'Inserting before a suffix is not supported by this server.', harmless: oneOf('') },
};

const KNOWN = {
  chat: new Set(Object.keys(CHAT_BODY.properties as object)),
  completion: new Set(Object.keys(COMPLETION_BODY.properties as object)),
};

/** Errors: 400 that names the first parameter that is not supported, or that nobody knows. */
export function refuseUnsupported(kind: keyof typeof KNOWN, body: object): void {
  for (const [name, value] of Object.entries(body)) {
    if (KNOWN[kind].has(name)) continue;
    const refusal = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
    if (!refusal) {
      const message = `Unrecognized request argument supplied: ${name.slice(0, 100)}`;
      throw new ApiError(400, message, { param: name.slice(0, 100), code: 'unknown_parameter' });
    }
    if (value !== null && !refusal.harmless?.(value)) throw unsupported(name, refusal.what);
  }
}

/** Errors: 400 for messages of tools, and parts that are no text. */
export function refuseUnsupportedMessage(message: MessageBody, index: number): void {
  const at = `messages[${index}]`;
  if (message.role === 'tool' || message.role === 'function') throw unsupported(`${at}.role`, TOOLS);
  for (const field of ['tool_calls', 'function_call'])
    if (message[field] != null && !isEmpty(message[field])) throw unsupported(`${at}.${field}`, TOOLS);
  if (!Array.isArray(message.content)) {
    if (message.content == null && message.role !== 'assistant')
      throw new ApiError(400, `Missing '${at}.content': expected a string.`, { param: `${at}.content` });
    return;
  }
  for (const [part, { type, text }] of message.content.entries()) {
    const what = `Only parts of type "text" with a text are supported by this server.`;
    if (type !== 'text' || text === undefined) throw unsupported(`${at}.content[${part}]`, what);
  }
}
