import type { GenerateOptions } from '../llm/index.js';
import { ApiError, contextLengthExceeded } from './errors.js';
import type { SamplingBody } from './schemas.js';

/** OpenAI's default. */
const TEMPERATURE = 1;
const MAX_BIASES = 1024;

/** The options of choice `choice`. Errors: 400 for biases of tokens that the vocabulary has not. */
export function samplingOptions(body: SamplingBody, choice: number, vocabSize: number): GenerateOptions {
  const seed = body.seed == null || body.seed < 0 ? undefined : (body.seed + choice) % Number.MAX_SAFE_INTEGER;
  return defined({
    temperature: body.temperature ?? TEMPERATURE,
    topP: body.top_p,
    topK: body.top_k,
    minP: body.min_p,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    repeatPenalty: body.repeat_penalty,
    repeatLastN: body.repeat_last_n,
    ignoreEos: body.ignore_eos,
    seed,
    stop: body.stop,
    logitBias: body.logit_bias == null ? undefined : biases(body.logit_bias, vocabSize),
  });
}

/** Errors: 400 where a prompt and an answer of `maxTokens`, or of one token, do not fit into the context. */
export function checkContext(
  context: number,
  promptTokens: number,
  maxTokens: number | null | undefined,
  param: string,
): void {
  const answerTokens = maxTokens ?? 1;
  if (promptTokens + answerTokens > context) throw contextLengthExceeded(context, promptTokens, answerTokens, param);
}

function biases(given: Readonly<Record<string, number>>, vocabSize: number): Map<number, number> {
  const entries = Object.entries(given);
  const fail = (found: string) =>
    new ApiError(400, `Invalid 'logit_bias': expected ${found}.`, { param: 'logit_bias', code: 'invalid_value' });
  if (entries.length > MAX_BIASES) throw fail(`at most ${MAX_BIASES} tokens, found ${entries.length}`);
  return new Map(
    entries.map(([token, bias]) => {
      const id = /^\d{1,10}$/.test(token) ? Number(token) : vocabSize;
      if (id >= vocabSize)
        throw fail(`token ids from 0 to ${vocabSize - 1}, found ${JSON.stringify(token.slice(0, 40))}`);
      return [id, bias];
    }),
  );
}

type Defined<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Without the fields that are null or undefined. */
export const defined = <T extends object>(fields: T): Defined<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null)) as Defined<T>;
