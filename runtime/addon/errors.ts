import { shorten } from '../common/printable.js';

/** A call of the runtime failed. The message says what was found, what was needed and what to do. */
export class RealizarError extends Error {
  /** `RealizarError`, or the class's own. */
  override name = 'RealizarError';
  constructor(
    /** `realizar_status` of realizar.h (positive), or a status of the addon itself (negative). */
    readonly status: number,
    /**
     * realizar.h's name without `REALIZAR_`: `NO_DRIVER`, ...; or `BAD_ARTIFACT`, `CLOSED`, `NOT_BUILT`, `CONTEXT_OVERFLOW`,
     * `CHAT_TEMPLATE`, `BUSY`, `NO_MODEL_FILE`, `BAD_VOCABULARY`.
     */
    readonly statusName: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(shorten(message), options);
  }
}

/** What is reported without asking the compiled library. */
export const STATUS = {
  INVALID_ARGUMENT: 1,
  /** The artifact directory, its manifest or its library is missing, damaged or of another version. */
  BAD_ARTIFACT: -1,
  /** The model, session or engine was closed. */
  CLOSED: -2,
  /** The addon's own binary is missing. */
  NOT_BUILT: -3,
  /** A prompt has more tokens than the context has positions. */
  CONTEXT_OVERFLOW: -4,
  /** The chat template failed, was stopped at its deadline, or is missing. */
  CHAT_TEMPLATE: -5,
  /** A chat is still answering. */
  BUSY: -6,
  /** No model file was named, and none is where the artifact says. */
  NO_MODEL_FILE: -7,
  /** The model file's vocabulary cannot be used. */
  BAD_VOCABULARY: -8,
} as const;

export function failure(statusName: keyof typeof STATUS, message: string, options?: ErrorOptions): RealizarError {
  return new RealizarError(STATUS[statusName], statusName, message, options);
}

/** A native call's failure, a plain error with two properties, as a {@link RealizarError}; others as they are. */
export function typedError(error: unknown): unknown {
  if (!(error instanceof Error && 'status' in error && 'statusName' in error)) return error;
  return new RealizarError(Number(error.status), String(error.statusName).replace(/^REALIZAR_/, ''), error.message);
}

/** Waits for a native call; its failures become {@link RealizarError}s. */
export async function typed<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw typedError(error);
  }
}
