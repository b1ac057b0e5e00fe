/** Failures as OpenAI's API words them: a status, and {"error": {message, type, param, code}}. */

import { RealizarError } from '../addon/index.js';
import { TemplateLackError } from '../llm/errors.js';
import { ContextOverflowError } from '../llm/index.js';

export interface ErrorBody {
  readonly message: string;
  readonly type: string;
  /** The parameter that is at fault. */
  readonly param: string | null;
  readonly code: string | null;
}

interface Details {
  readonly param?: string;
  readonly code?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is answered with an error status. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly status: number,
    message: string,
    { param, code, type, headers = {} }: Details = {},
  ) {
    super(message);
    const otherwise = status < 500 ? 'invalid_request_error' : 'server_error';
    this.body = { message, type: type ?? otherwise, param: param ?? null, code: code ?? null };
    this.headers = headers;
  }
}

export const unsupported = (param: string, what: string): ApiError =>
  new ApiError(400, what, { param, code: 'unsupported_parameter' });

export const shuttingDown = (): ApiError =>
  new ApiError(503, 'The server is shutting down.', { code: 'server_shutting_down', headers: { 'retry-after': '5' } });

/** With the type of llama.cpp's server. */
export const loading = (): ApiError =>
  new ApiError(503, 'Loading model', {
    type: 'unavailable_error',
    code: 'model_loading',
    headers: { 'retry-after': '2' },
  });

export function contextLengthExceeded(
  context: number,
  promptTokens: number,
  answerTokens: number,
  param: string,
): ApiError {
  const requested = `${promptTokens + answerTokens} tokens (${promptTokens} in the prompt, ${answerTokens} in the completion)`;
  const message = `This model's maximum context length is ${context} tokens. However, you requested ${requested}. Please reduce the length of the prompt or completion.`;
  return new ApiError(400, message, { param, code: 'context_length_exceeded' });
}

/** Names of RealizarError that the request is to blame for. */
const CLIENT_FAULTS = new Set(['INVALID_ARGUMENT', 'CHAT_TEMPLATE', 'CONTEXT_FULL']);

/** Of the request, and what it can do. */
const LACKS: Readonly<Record<TemplateLackError['subject'], string>> = {
  tools: 'tools',
  calls: 'messages',
  results: 'messages',
};

/** What the model's chat template cannot do is no failure of the server's. */
const lacking = ({ subject, problem }: TemplateLackError) =>
  new ApiError(400, `This model cannot do that: ${problem.replace('options.tools', 'tools')}.`, {
    param: LACKS[subject],
    code: 'unsupported_parameter',
  });

/** Templates' errors begin with the path of the model, which is nobody else's business. */
const MODEL_PATH = /^.*?: (?=chat template: )/s;

export function bodyTooLarge(limit: number): ApiError {
  const message = `The request body is larger than this server's limit of ${limit} bytes.`;
  return new ApiError(413, message, { code: 'request_too_large' });
}

function notJson(): ApiError {
  const message = 'The request body must be JSON, with the header Content-Type: application/json.';
  return new ApiError(415, message, { code: 'unsupported_media_type' });
}

/** What fastify throws itself, by its code. */
const OF_FASTIFY: ReadonlyMap<string | undefined, (limit: number) => ApiError> = new Map([
  ['FST_ERR_CTP_BODY_TOO_LARGE', bodyTooLarge],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', notJson],
  ['FST_ERR_CTP_EMPTY_TYPE', notJson],
]);

/** Any failure of a request, as the client gets it. What is not the client's fault has no details: they are logged. */
export function toApiError(error: unknown, bodyLimit: number): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ContextOverflowError)
    return contextLengthExceeded(error.context, error.promptTokens, 1, 'prompt');
  if (error instanceof TemplateLackError) return lacking(error);
  if (error instanceof RealizarError && CLIENT_FAULTS.has(error.statusName))
    return new ApiError(400, error.message.replace(MODEL_PATH, ''));
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const known = OF_FASTIFY.get(code);
  if (known) return known(bodyLimit);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new ApiError(statusCode, `The request could not be read: ${message}`);
  return new ApiError(500, "The server failed to answer this request; the server's log says why.", {
    code: 'internal_error',
  });
}
