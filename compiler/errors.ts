/** The errors that a user is meant to read. Anything else that is thrown is a defect of the compiler. */

/** Base of every expected failure; its message says what was found, what was needed and what to do. */
export class CompileError extends Error {
  override name = 'CompileError';
}

/** The model file is damaged or not what it claims: file, place and expectation are in the message. */
export class ModelFileError extends CompileError {
  override name = 'ModelFileError';
  constructor(
    readonly file: string,
    /** "header", "metadata key \"llama.block_count\"", "tensor \"blk.0.attn_q.weight\"". */
    readonly place: string,
    problem: string,
  ) {
    super(`${file}: ${place}: ${problem}`);
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
    super(`${file}: ${feature} is not supported: ${hint}`);
  }
}

/** What was asked for contradicts itself, or is nothing that could be asked for: exit code 2. */
export class UsageError extends CompileError {
  override name = 'UsageError';
}

/** A tool that the build needs is missing or failed. */
export class BuildError extends CompileError {
  override name = 'BuildError';
}
