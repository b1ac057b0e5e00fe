import { RealizarError, STATUS } from '../addon/errors.js';

/** A prompt has more tokens than the context has positions; `statusName` is CONTEXT_OVERFLOW. */
export class ContextOverflowError extends RealizarError {
  override name = 'ContextOverflowError';
  constructor(
    /** Tokens of the prompt. */
    readonly promptTokens: number,
    /** Positions of the context. */
    readonly context: number,
    hint: string,
  ) {
    super(
      STATUS.CONTEXT_OVERFLOW,
      'CONTEXT_OVERFLOW',
      `the prompt has ${promptTokens} tokens, and the context ${context} positions for prompt and answer; ${hint}`,
    );
  }
}
