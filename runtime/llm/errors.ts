import { RealizarError, STATUS } from '../addon/errors.js';

/** A prompt has more tokens than the context has positions; `statusName` is CONTEXT_OVERFLOW. */
export class ContextOverflowError extends RealizarError {
  /** `ContextOverflowError`. */
  override name = 'ContextOverflowError';
  constructor(
    /** Tokens of the prompt; at least so many where it is so long that they were not counted, which the message says. */
    readonly promptTokens: number,
    /** Positions of the context. */
    readonly context: number,
    count: string,
    hint: string,
  ) {
    super(
      STATUS.CONTEXT_OVERFLOW,
      'CONTEXT_OVERFLOW',
      `the prompt has ${count}${promptTokens} tokens, and the context ${context} positions for prompt and answer; ${hint}`,
    );
  }
}

/** A chat template would leave out what was given, or write what cannot be read; `statusName` is CHAT_TEMPLATE. */
export class TemplateLackError extends RealizarError {
  override name = 'TemplateLackError';
  constructor(
    path: string,
    /** What it is about. */
    readonly subject: 'tools' | 'calls' | 'results',
    /** Without the model. */
    readonly problem: string,
  ) {
    super(STATUS.CHAT_TEMPLATE, 'CHAT_TEMPLATE', `${path}: ${problem}`);
  }
}
