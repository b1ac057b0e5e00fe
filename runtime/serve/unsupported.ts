/** Parameters that would change the answer and that this server does not have: they are refused, never ignored. */
import { ApiError, unsupported } from './errors.js';
import { FIELDS } from './fields.js';
import { CHAT_BODY, COMPLETION_BODY, type MessageBody } from './schemas.js';

const OLDER = 'The older form of tool calls is not supported by this server; see tool_calls and the role tool.';

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

/** Errors: 400 for messages of functions' older form, for what is missing, and for parts that are no text. */
export function checkMessage(message: MessageBody, index: number): void {
  const at = `messages[${index}]`;
  if (message.role === 'function') throw unsupported(`${at}.role`, OLDER);
  if (message.function_call != null) throw unsupported(`${at}.function_call`, OLDER);
  if (message.role === 'tool' && message.tool_call_id == null) throw missing(`${at}.tool_call_id`);
  if (!Array.isArray(message.content)) {
    if (message.content == null && message.role !== 'assistant') throw missing(`${at}.content`);
    return;
  }
  for (const [part, { type, text }] of message.content.entries()) {
    const what = `Only parts of type "text" with a text are supported by this server.`;
    if (type !== 'text' || text === undefined) throw unsupported(`${at}.content[${part}]`, what);
  }
}

const missing = (param: string) => new ApiError(400, `Missing '${param}': expected a string.`, { param });
