/** How realizar-run ends: the codes that docs/run.md lists. */

import { RealizarError } from '../addon/errors.js';
import * as compiler from '../common/exit.js';
import { shorten } from '../common/printable.js';

export const { EXIT } = compiler;

/** Ctrl-C, or another signal that asks the program to end. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** Something that a user is meant to read and that no other part of the package has a class for. */
export class RunError extends Error {
  override name = 'RunError';
  constructor(message: string) {
    super(shorten(message));
  }
}

/** The exit code for what a command threw, and on stderr what a user has to know of it. A defect of the program is thrown on. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  const isOwn = (thrown: unknown) => thrown instanceof RunError || thrown instanceof RealizarError;
  return compiler.exitCodeOf('realizar-run', error, isOwn);
}
