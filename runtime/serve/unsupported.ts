/** Parameters that would change the answer and that this server does not have: they are refused, never ignored. */
import { ApiError, unsupported } from './errors.js';
import { FIELDS } from './fields.js';
import { CHAT_BODY, COMPLETION_BODY, type MessageBody } from './schemas.js';

const TOOLS = 'Tool calls are not supported by this server; describe what you need in the messages.';
const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;

const KNOWN = {
  chat: new Set(Object.keys(CHAT_BODY.properties as object)),
  completion: new Set(Object.keys(COMPLETION_BODY.properties as object)),
};

/** Errors: 400 that names the first parameter that is not supported, or that nobody knows. */
export function refuseUnsupported(kind: keyof typeof KNOWN, body: object): void {
  for (const [name, value] of Object.entries(body)) {
    if (KNOWN[kind].has(name)) continue;
    const field = FIELDS.get(name);
    if (!field || !('refused' in field)) {
      const message = `Unrecognized request argument supplied: ${name.slice(0, 100)}`;
      throw new ApiError(400, message, { param: name.slice(0, 100), code: 'unknown_parameter' });
    }
    if (value !== null && !field.unless?.holds(value, body as Record<string, unknown>))
      throw unsupported(name, field.refused);
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
