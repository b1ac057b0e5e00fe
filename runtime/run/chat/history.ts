/** Chats in files: a JSON list of messages, as the chat APIs have them. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Message } from '../../llm/index.js';
import { RunError } from '../exit.js';

/** Errors: RunError for what cannot be read or is no list of messages. */
export function readMessages(file: string): Message[] {
  const wanted = 'expected a list of messages, as /save writes it: [{"role": "user", "content": "..."}, ...]';
  let messages: unknown;
  try {
    messages = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new RunError(`${file}: ${(error as Error).message}; ${wanted}`);
  }
  const isMessage = (message: unknown) =>
    typeof message === 'object' && message !== null && 'role' in message && typeof message.role === 'string';
  if (!Array.isArray(messages) || !messages.every(isMessage)) throw new RunError(`${file}: ${wanted}`);
  return messages;
}

/** `replace`: the file may be there. Errors: RunError. */
export function writeMessages(file: string, messages: readonly Message[], replace: boolean): void {
  try {
    writeFileSync(file, `${JSON.stringify(messages, null, 2)}\n`, { flag: replace ? 'w' : 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new RunError(code === 'EEXIST' ? `${file} is there already; choose another name` : `not saved: ${message}`);
  }
}
