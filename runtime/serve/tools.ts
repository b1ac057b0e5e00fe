/** `tools` and `tool_choice`: what the model is told of, and what it may do. */
import type { ReadOptions } from '../llm/chat_prompt.js';
import { exactBody } from './body.js';
import { ApiError, unsupported } from './errors.js';
import { defined } from './sampling.js';
import type { ChatBody } from './schemas.js';

const isNone = ({ tool_choice: choice }: ChatBody) => choice === 'none';

/** Errors: 400 for a choice that only a constrained answer could keep to, and for one of no tools. */
export function checkToolChoice(body: ChatBody): void {
  const { tools, tool_choice: choice } = body;
  if (choice == null || choice === 'auto' || isNone(body)) return;
  if (!tools || tools.length === 0) {
    const message = "Invalid 'tool_choice': it needs tools; found none.";
    throw new ApiError(400, message, { param: 'tool_choice', code: 'invalid_value' });
  }
  throw unsupported('tool_choice', 'This server cannot force a call: the tool_choice "auto" and "none" are supported.');
}

/** What the template is given. A model that is to call none is not told of any. */
export const toolsFor = (body: ChatBody): readonly unknown[] | undefined =>
  body.tools && body.tools.length > 0 && !isNone(body) ? (exactBody(body).get('tools') as unknown[]) : undefined;

/** What of the answer is taken apart. */
export const readOptions = (body: ChatBody): ReadOptions => ({
  calls: body.parse_tool_calls === false ? 'none' : 'needed',
  ...defined({ single: body.parallel_tool_calls === false || undefined }),
  reasoning: body.reasoning_format !== 'none',
});
