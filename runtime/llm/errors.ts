import { RealizarError } from '../addon/errors.js';

/** A prompt has more tokens than the context has positions; `statusName` is CONTEXT_OVERFLOW. */
export class ContextOverflowError extends RealizarError {
  override name = 'ContextOverflowError';
  constructor(
    /** What the prompt needs. */
    readonly promptTokens: number,
    /** Positions of the context. */
    readonly context: number,
    hint: string,
  ) {
    super(
      CONTEXT_OVERFLOW,
      'CONTEXT_OVERFLOW',
      `the prompt has ${promptTokens} tokens, the context ${context} positions; ${hint}`,
    );
  }
}

const CONTEXT_OVERFLOW = -4;
