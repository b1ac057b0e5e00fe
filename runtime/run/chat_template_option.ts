/** --chat-template: ChatML, or a template in a file, instead of what the model file has. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { LoadOptions } from '../llm/index.js';
import { RunError } from './exit.js';

/** What {@link addChatTemplateOption} adds. */
export interface ChatTemplateFlags {
  readonly chatTemplate?: string;
}

export const addChatTemplateOption = (command: Command): Command =>
  command.option(
    '--chat-template <file>',
    "a file with a Jinja template, or chatml, instead of the model file's own template",
  );

/** Errors: RunError for a file that cannot be read or is empty. */
export function chatTemplateOf({ chatTemplate }: ChatTemplateFlags): Pick<LoadOptions, 'chatTemplate'> {
  if (chatTemplate === undefined) return {};
  if (chatTemplate === 'chatml') return { chatTemplate };
  const expected = 'expected chatml, or a file with a Jinja template';
  let source: string;
  try {
    source = readFileSync(chatTemplate, 'utf8');
  } catch (error) {
    throw new RunError(`--chat-template ${chatTemplate}: ${(error as Error).message}; ${expected}`);
  }
  if (source.trim() === '') throw new RunError(`--chat-template ${chatTemplate}: the file is empty; ${expected}`);
  return { chatTemplate: { source } };
}
