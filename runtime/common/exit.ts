/** How the command lines end: the codes that --help and docs/run.md list. */
import { CompileError, UsageError } from './errors.js';
import { sayError } from './stderr.js';

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Nobody reads standard output any more: no failure, but the end. */
export class ReaderLeft extends Error {
  override name = 'ReaderLeft';
}

/**
 * The exit code for what a command threw, and on stderr what a user has to know of it. A defect of the program is thrown on.
 * `isForUsers`: more errors whose messages are for users.
 */
export function exitCodeOf(
  program: string,
  error: unknown,
  isForUsers: (error: unknown) => boolean = () => false,
): number {
  if (error instanceof ReaderLeft) return EXIT.done;
  // commander has printed what is wrong; --help and --version are errors of code 0 to it
  if (isCommander(error)) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  // the operating system's: a port in use, a file that cannot be written
  const isSystem = error instanceof Error && 'syscall' in error;
  if (!(error instanceof Error) || !(error instanceof CompileError || isSystem || isForUsers(error))) throw error;
  sayError(program, error.message);
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}

const isCommander = (error: unknown): error is { exitCode: number } =>
  error instanceof Error && error.name === 'CommanderError';
