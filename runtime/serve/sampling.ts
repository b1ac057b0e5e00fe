import type { GenerateOptions } from '../llm/index.js';
import { ApiError } from './errors.js';
import type { SamplingBody } from './schemas.js';

/** OpenAI's default. */
const TEMPERATURE = 1;
const MAX_BIASES = 1024;

/** Errors: 400 for biases of tokens that the vocabulary has not. */
export function samplingOptions(body: SamplingBody, vocabSize: number): GenerateOptions {
  const seed = body.seed == null || body.seed < 0 ? undefined : body.seed;
  return defined({
    temperature: body.temperature ?? TEMPERATURE,
    topP: body.top_p,
    topK: body.top_k === -1 ? 0 : body.top_k,
    minP: body.min_p,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    repeatPenalty: agreed(body, ['repeat_penalty', 'repetition_penalty']),
    // vLLM's looks at all tokens, llama.cpp's at the last 64.
    repeatLastN: body.repeat_last_n ?? (body.repetition_penalty == null ? undefined : -1),
    ignoreEos: body.ignore_eos,
    seed,
    stop: body.stop,
    logitBias: body.logit_bias == null ? undefined : biases(body.logit_bias, vocabSize),
  });
}

/** How many choices of each prompt. */
export const choicesOf = (body: SamplingBody): number => agreed(body, ['n', 'n_cmpl']) ?? 1;

/** The value of parameters that mean the same; undefined where none is given. Errors: 400 where two differ. */
export function agreed<Body extends object>(body: Body, names: readonly (keyof Body & string)[]): number | undefined {
  const given = names.filter((name) => body[name] != null);
  const [first, ...others] = given;
  const other = others.find((name) => body[name] !== body[first!]);
  if (other === undefined) return first && (body[first] as number);
  const message = `Set ${first} or ${other}, not both: found ${body[first!]} and ${body[other]}.`;
  throw new ApiError(400, message, { param: other, code: 'invalid_value' });
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
