/** What a model answered in a chat, as OpenAI's API shows it: text, calls, and, as vLLM and others have it, reasoning. */
import type { GenerationResult, Piece, ToolCallDelta } from '../llm/index.js';
import { answerText } from './choices.js';
import type { ChatBody } from './schemas.js';

/** Whole. */
export function messageOf(result: GenerationResult, body: ChatBody) {
  const text = answerText(result, body);
  return {
    role: 'assistant',
    content: text === '' && result.toolCalls ? null : text,
    refusal: null,
    ...reasoningOf(result, body),
    ...(result.toolCalls && { tool_calls: result.toolCalls }),
  };
}

/** Of a piece, in order; often one, sometimes none. */
export function deltasOf(piece: Piece, body: ChatBody): object[] {
  const { text, toolCalls } = piece;
  const reasoning = reasoningOf(piece, body);
  return [
    ...(reasoning ? [reasoning] : []),
    ...(text !== '' ? [{ content: text }] : []),
    ...(toolCalls ? [{ tool_calls: toolCalls.map(callDelta) }] : []),
  ];
}

/** By the name that most clients know, and the newer one. */
const reasoningOf = ({ reasoning }: { readonly reasoning?: string }, { include_reasoning: included }: ChatBody) =>
  reasoning !== undefined && included !== false ? { reasoning_content: reasoning, reasoning } : undefined;

const callDelta = ({ index, id, name, arguments: more }: ToolCallDelta) =>
  id === undefined
    ? { index, function: { arguments: more } }
    : { index, id, type: 'function', function: { name, arguments: more } };
