/** The errors that a user is meant to read. Anything else that is thrown is a defect of the compiler. */

import { shorten } from './printable.js';

/** Base of every expected failure; its message says what was found, what was needed and what to do, in less than 2 kB. */
export class CompileError extends Error {
  override name = 'CompileError';
  constructor(message: string) {
    super(shorten(message));
  }
}

/** A path, or what a model file says, may be long; a message stays below 2 kB. */
const MAX_PART = 640;
const clip = (text: string): string =>
  text.length <= MAX_PART ? text : `${text.slice(0, MAX_PART / 2)}…${text.slice(-MAX_PART / 2)}`;

/** The model file is damaged or not what it claims: file, place and expectation are in the message. */
export class ModelFileError extends CompileError {
  override name = 'ModelFileError';
  constructor(
    readonly file: string,
    /** "header", "metadata key \"llama.block_count\"", "tensor \"blk.0.attn_q.weight\"". */
    readonly place: string,
    problem: string,
  ) {
    super(`${clip(file)}: ${clip(place)}: ${clip(problem)}`);
  }
}

/** The file is sound, but this compiler does not support what it holds; the message names it. */
export class UnsupportedError extends CompileError {
  override name = 'UnsupportedError';
  constructor(
    readonly file: string,
    readonly feature: string,
    hint: string,
  ) {
    super(`${clip(file)}: ${clip(feature)} is not supported: ${clip(hint)}`);
  }
}

/** What was asked for contradicts itself, or is nothing that could be asked for: exit code 2. */
export class UsageError extends CompileError {
  override name = 'UsageError';
}

/** A signal has ended a build. */
export class InterruptedError extends CompileError {
  override name = 'InterruptedError';
}

/** A tool that the build needs is missing or failed. */
export class BuildError extends CompileError {
  override name = 'BuildError';
}
