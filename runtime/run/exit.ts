/** How realizar-run ends: the codes that docs/run.md lists. */
import { CompileError } from '../../compiler/errors.js';
import { RealizarError } from '../addon/errors.js';

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Ctrl-C, or another signal that asks the program to end. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** Nobody reads standard output any more: no failure, but the end. */
export class ReaderLeft extends Error {
  override name = 'ReaderLeft';
}

/** Something that a user is meant to read and that no other part of the package has a class for. */
export class RunError extends Error {
  override name = 'RunError';
}

/** The exit code for what a command threw, and on stderr what a user has to know of it. A defect of the program is thrown on. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof ReaderLeft) return EXIT.done;
  // commander has printed what is wrong; --help and --version are errors of code 0 to it
  if (isUsage(error)) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (!isForUsers(error)) throw error;
  process.stderr.write(`realizar-run: ${error.message}\n`);
  return EXIT.failed;
}

const isForUsers = (error: unknown): error is Error =>
  error instanceof RunError ||
  error instanceof RealizarError ||
  error instanceof CompileError ||
  // the operating system's: a port in use, a file that cannot be written
  (error instanceof Error && 'syscall' in error);

const isUsage = (error: unknown): error is { exitCode: number } =>
  error instanceof Error && error.name === 'CommanderError';
