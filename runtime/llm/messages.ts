/** Messages and what a chat template is given with them: checked, and as templates take them. */
import { checkBoolean, invalid } from '../addon/arguments.js';
import type { ChatOptions as RenderOptions } from '../text/chat_template.js';
import type { Message, TemplateOptions } from './types.js';

/** Whether a template names a role. */
export type Knows = (role: string) => boolean;

/** Those that templates take from the chat APIs. */
const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];

/** At least one message, each as {@link checkMessage} wants it. A copy. */
export function checkMessages(messages: unknown, knows: Knows, name = 'messages'): Message[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid(name, 'a list of at least one message', messages);
  return messages.map((message, i) => checkMessage(message, knows, `${name}[${i}]`));
}

/** An object with a role that means something to the template and a content that is text. */
export function checkMessage(message: unknown, knows: Knows, name: string): Message {
  if (typeof message !== 'object' || message === null || !('role' in message) || typeof message.role !== 'string')
    throw invalid(name, 'an object with a role', message);
  const { role } = message;
  if (!ROLES.includes(role) && (role === '' || !knows(role)))
    throw invalid(`${name}.role`, `${ROLES.join(', ')}, or a role that the chat template names`, role);
  const checked: Message = { ...message, role };
  checkContent(checked, `${name}.content`);
  return checked;
}

/** Calls of functions, and reasoning, may stand alone. */
function checkContent({ role, content }: Message, name: string): void {
  if (typeof content === 'string') return;
  if ((content === undefined || content === null) && role === 'assistant') return;
  const expected = 'a text, or a list of parts {type: "text", text} (models of this package read text only)';
  if (!Array.isArray(content) || content.length === 0) throw invalid(name, expected, content);
  for (const [i, part] of content.entries())
    if (!isTextPart(part)) throw invalid(`${name}[${i}]`, 'a part {type: "text", text} with a text', part);
}

const isTextPart = (part: unknown): boolean =>
  typeof part === 'object' &&
  part !== null &&
  'type' in part &&
  part.type === 'text' &&
  'text' in part &&
  typeof part.text === 'string';

/** The text of a content: its parts on lines of their own, as llama.cpp joins them. */
export const textOf = (content: string | readonly { readonly text?: string }[]): string =>
  typeof content === 'string' ? content : content.map(({ text }) => text).join('\n');

export const hasCalls = ({ tool_calls: calls }: Message): boolean => Array.isArray(calls) && calls.length > 0;

/**
 * A checked message as the template takes it. `developer` is OpenAI's newer name for `system`. What has no content has an empty
 * one, except beside calls of functions, which some templates tell by that.
 */
export function templateMessage(message: Message, knows: Knows): Message {
  const role = message.role === 'developer' && !knows('developer') ? 'system' : message.role;
  const content = (message.content ?? '') as string | readonly { readonly text?: string }[];
  if (content === '' && hasCalls(message)) return { ...message, role };
  return { ...message, role, content: textOf(content) };
}

/** In the template's own terms. */
export function checkTemplateOptions(
  options: {
    [Name in keyof TemplateOptions]?: TemplateOptions[Name] | undefined;
  },
): RenderOptions {
  const { addGenerationPrompt = true, tools, templateVariables } = options;
  checkBoolean('options.addGenerationPrompt', addGenerationPrompt);
  if (tools !== undefined && !Array.isArray(tools)) throw invalid('options.tools', 'a list of functions', tools);
  if (templateVariables !== undefined && (typeof templateVariables !== 'object' || templateVariables === null))
    throw invalid('options.templateVariables', 'an object', templateVariables);
  return {
    addGenerationPrompt,
    ...(tools && tools.length > 0 && { tools }), // templates ask whether there are any in more than one way
    ...(templateVariables && {
      variables: templateVariables instanceof Map ? Object.fromEntries(templateVariables) : templateVariables,
    }),
  };
}
