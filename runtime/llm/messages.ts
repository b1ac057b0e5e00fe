/** Checks of messages and of what a chat template is given. */
import { checkBoolean, invalid } from '../addon/arguments.js';
import type { ChatOptions as RenderOptions } from '../text/chat_template.js';
import type { Message, TemplateOptions } from './types.js';

/** At least one message, each an object with a role. A copy. */
export function checkMessages(messages: unknown, name = 'messages'): Message[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid(name, 'a list of at least one message', messages);
  return messages.map((message, i) => checkMessage(message, `${name}[${i}]`));
}

export function checkMessage(message: unknown, name: string): Message {
  if (typeof message !== 'object' || message === null || !('role' in message) || typeof message.role !== 'string')
    throw invalid(name, 'an object with a role', message);
  return { ...message, role: message.role };
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
    ...(tools && { tools }),
    ...(templateVariables && { variables: templateVariables }),
  };
}
