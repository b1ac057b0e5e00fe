/** How long an answer may be, and how much of a prompt it follows. */
import type { LanguageModelInfo } from '../llm/index.js';
import { ApiError, contextLengthExceeded } from './errors.js';
import { agreed } from './sampling.js';
import type { ChatBody, SamplingBody } from './schemas.js';

/** llama.cpp's value for no limit. */
const UNLIMITED = -1;

/**
 * Tokens that the answer may have; `otherwise` where nothing says so, undefined where the context is the limit. Errors: 400 for
 * none, unless the prompt is what is asked for.
 */
export function maxTokensOf(body: ChatBody | SamplingBody, otherwise: number | undefined): number | undefined {
  if (body.max_tokens === 0 && !body.echo) {
    const message = "Invalid 'max_tokens': expected a number >= 1, found 0.";
    throw new ApiError(400, message, { param: 'max_tokens', code: 'invalid_value' });
  }
  const given = agreed(body as ChatBody, ['max_completion_tokens', 'max_tokens', 'n_predict']) ?? otherwise;
  return given === UNLIMITED ? undefined : given;
}

/** The prompt, or with `truncate_prompt_tokens` its end. Errors: 400 where prompt and answer do not fit into the context. */
export function fitted(
  prompt: readonly number[],
  body: SamplingBody,
  { context, bosToken }: LanguageModelInfo,
  { maxTokens, param }: { maxTokens: number | undefined; param: string },
): readonly number[] {
  const answer = maxTokens ?? 1;
  const tokens = endOf(prompt, mostOf(body, context - answer), bosToken);
  if (tokens.length + answer > context) throw contextLengthExceeded(context, tokens.length, answer, param);
  return tokens;
}

function mostOf({ truncate_prompt_tokens: most }: SamplingBody, room: number): number {
  if (most == null) return Number.POSITIVE_INFINITY;
  if (most === UNLIMITED) return Math.max(room, 1);
  if (most > 0) return most;
  const message = `Invalid 'truncate_prompt_tokens': expected a number >= 1, or -1 for what there is room for, found ${most}.`;
  throw new ApiError(400, message, { param: 'truncate_prompt_tokens', code: 'invalid_value' });
}

/** The begin token stays where there is one, as tokenizers that truncate keep it. */
function endOf(tokens: readonly number[], most: number, bosToken: number | undefined): readonly number[] {
  if (tokens.length <= most) return tokens;
  if (tokens[0] !== bosToken || most === 1) return tokens.slice(-most);
  return [tokens[0]!, ...tokens.slice(1 - most)];
}
