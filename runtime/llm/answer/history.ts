/** Calls of functions in the history, and what they returned, as a chat template wants them. */
import { createHash } from 'node:crypto';
import { parseJson } from '../../text/exact_json.js';
import { templateJson } from '../../text/template_json.js';
import { hasCalls } from '../messages.js';
import type { Message } from '../types.js';
import type { CallStyle } from './probe.js';

interface Call {
  readonly id?: unknown;
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown };
}

const callsOf = ({ tool_calls: calls }: Message) => calls as readonly Call[];

/**
 * What the model thought, by the name that the template has for it: `reasoning_content`, or `thinking`, which gpt-oss's takes of
 * messages with calls and no content alone.
 */
export function namedReasoning(message: Message, names: (field: string) => boolean): Message {
  const { reasoning, ...others } = message;
  const { reasoning_content: thought = reasoning } = others;
  if (typeof thought !== 'string') return message;
  const isThinking = hasCalls(message) && !message.content && names('thinking') && !names('reasoning_content');
  return { ...others, reasoning_content: thought, ...(isThinking && { thinking: thought }) };
}

/** Of messages that were checked. */
export function styledCalls(messages: readonly Message[], style: CallStyle): Message[] {
  const names = new Map<unknown, unknown>();
  return messages.map((message) => {
    if (hasCalls(message)) {
      for (const call of callsOf(message)) names.set(call.id, call.function?.name);
      const tool_calls = callsOf(message).map((call) => styledCall(call, style));
      return { ...message, ...styledContent(message, style), tool_calls };
    }
    if (message.role !== 'tool') return message;
    const { tool_call_id: id, name = names.get(id) } = message;
    return {
      ...message,
      ...(name !== undefined && { name }),
      ...(typeof id === 'string' && { tool_call_id: idFor(id, style) }),
    };
  });
}

function styledCall(call: Call, style: CallStyle): Call {
  const { id, function: called } = call;
  if (typeof called !== 'object' || called === null) return call;
  const { name, arguments: given, ...others } = called;
  return {
    ...call,
    ...(typeof id === 'string' && { id: idFor(id, style) }),
    function: { name, arguments: styledArguments(given, style), ...others }, // templates print it as it is, and in this order
  };
}

/** What is no JSON of an object stays as it is: a model may have written it. */
function styledArguments(given: unknown, { argumentsAs }: CallStyle): unknown {
  if (argumentsAs === 'text' && typeof given === 'object') return templateJson(given ?? {}, (text) => text);
  if (argumentsAs !== 'object' || typeof given !== 'string') return given;
  if (given.trim() === '') return {};
  try {
    const value = parseJson(given);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : given;
  } catch {
    return given;
  }
}

/** Templates differ in what a message with calls says if it says nothing. */
function styledContent({ content = null }: Message, { emptyContents }: CallStyle): { content?: '' | null } {
  if (content !== '' && content !== null) return {};
  const [one] = emptyContents;
  return one === undefined || emptyContents.has(content) ? {} : { content: one };
}

/** The same id always becomes the same. */
function idFor(id: string, { shortIds }: CallStyle): string {
  if (!shortIds || /^[A-Za-z0-9]{9}$/.test(id)) return id;
  return createHash('sha256').update(id).digest('hex').slice(0, 9);
}
