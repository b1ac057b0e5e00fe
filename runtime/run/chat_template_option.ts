/** --chat-template: ChatML, or a template in a file, instead of what the model file has; or one of several that it has. */
import type { Command } from 'commander';
import { CompileError } from '../common/errors.js';
import { readSmallFile } from '../files/open_file.js';
import type { LoadOptions } from '../llm/index.js';
import { RunError } from './exit.js';

/** What {@link addChatTemplateOption} adds. */
export interface ChatTemplateFlags {
  readonly chatTemplate?: string;
}

export const addChatTemplateOption = (command: Command): Command =>
  command.option(
    '--chat-template <file>',
    "a file with a Jinja template, chatml, or the name of one of several that the model has; the model's default unless given",
  );

const MAX_BYTES = 1 << 20;

/** Errors: RunError for a file that cannot be read or is empty. */
export function chatTemplateOf({ chatTemplate }: ChatTemplateFlags): Pick<LoadOptions, 'chatTemplate'> {
  if (chatTemplate === undefined) return {};
  if (chatTemplate === 'chatml') return { chatTemplate };
  const source = readTemplate(chatTemplate);
  if (source !== undefined) return { chatTemplate: { source } };
  if (/^[\w-]+$/.test(chatTemplate)) return { chatTemplate: { name: chatTemplate } };
  throw wrong(chatTemplate, 'ENOENT, there is no such file');
}

function readTemplate(path: string): string | undefined {
  let bytes: Buffer | undefined;
  try {
    bytes = readSmallFile(path, MAX_BYTES);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw wrong(path, error.message.replace(`${path}: `, ''));
  }
  const source = bytes?.toString();
  if (source?.trim() === '') throw wrong(path, 'the file is empty');
  return source;
}

const wrong = (path: string, problem: string) =>
  new RunError(
    `--chat-template ${path}: ${problem}; expected chatml, or a file with a Jinja template, or a template's name`,
  );
