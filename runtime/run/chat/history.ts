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
  if (!Array.isArray(messages)) throw new RunError(`${file}: ${wanted}`);
  for (const [i, message] of messages.entries()) {
    const problem = problemOf(message);
    if (problem !== undefined) throw new RunError(`${file}: message ${i + 1} ${problem}; ${wanted}`);
  }
  return messages;
}

/** Why a message is none: what a chat template would fail on without naming the file. */
function problemOf(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return 'is no object';
  const { role, content, tool_calls: calls }: Partial<Record<string, unknown>> = { ...message };
  if (typeof role !== 'string') return 'has no role';
  if (typeof content === 'string' || Array.isArray(content)) return undefined; // a text or its parts
  if (content !== undefined && content !== null) return 'has a content that is no text';
  return Array.isArray(calls) ? undefined : 'has no content'; // calls of functions may stand alone
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
