/** The generations of one request: started, collected or merged, and counted. */
import type { Reading } from '../llm/answer/reader.js';
import type { ContinueOptions, Generation, GenerationResult, Piece } from '../llm/index.js';
import { merge } from './merge.js';
import type { SamplingBody } from './schemas.js';
import type { Service, Visit } from './service.js';

export interface Job {
  readonly prompt: readonly number[];
  readonly options: ContinueOptions;
  /** How answers are taken apart; not at all unless given. */
  readonly reading?: Reading | undefined;
  /** How many choices follow the prompt. */
  readonly count: number;
}

export interface Choice {
  readonly pieces: readonly Piece[];
  readonly result: GenerationResult;
}

/** Events of all choices, in the order in which they come; a choice is numbered through all jobs. */
export type ChoiceEvent =
  | { readonly index: number; readonly piece: Piece }
  | { readonly index: number; readonly result: GenerationResult };

export function finishReason({ stopReason, toolCalls }: GenerationResult): 'stop' | 'length' | 'tool_calls' {
  if (stopReason !== 'eos' && stopReason !== 'stop') return 'length';
  return toolCalls ? 'tool_calls' : 'stop';
}

/** The stop string, appended where the request asks for it. */
export const stopTextOf = ({ stopString = '' }: GenerationResult, body: SamplingBody): string =>
  body.include_stop_str_in_output ? stopString : '';

export const answerText = (result: GenerationResult, body: SamplingBody): string =>
  result.text + stopTextOf(result, body);

/** `prompts`: how many different ones; those of further choices are the same again, and count once. */
export function usageOf(results: readonly GenerationResult[], prompts: number) {
  const sum = (list: readonly GenerationResult[], count: (result: GenerationResult) => number) =>
    list.reduce((total, result) => total + count(result), 0);
  const stride = results.length / prompts;
  const firsts = results.filter((_, i) => i % stride === 0);
  const prompt = sum(firsts, (result) => result.promptTokens);
  const reasoning = sum(results, (result) => result.reasoningTokens ?? 0);
  const completion = sum(results, (result) => result.completionTokens);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum(firsts, (result) => result.cachedTokens) },
    ...(reasoning > 0 && { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}

/** Runs the jobs. Pieces are kept where log probabilities were asked for. The first failure ends the others, and is thrown. */
export async function collect(service: Service, visit: Visit, jobs: readonly Job[]): Promise<Choice[]> {
  const pieces = jobs.flatMap(({ count }) => Array.from({ length: count }, (): Piece[] => []));
  const withLogprobs = jobs[0]?.options.logprobs !== undefined;
  const results: GenerationResult[] = [];
  for await (const event of choiceEvents(service, visit, jobs)) {
    if ('result' in event) results[event.index] = event.result;
    else if (withLogprobs) pieces[event.index]!.push(event.piece);
  }
  return results.map((result, i) => ({ pieces: pieces[i]!, result }));
}

/**
 * Starts the jobs and hands over what they make. What the reader does not take stays with the generations, which go on:
 * at most a context full of it for each. The first failure ends the others, and is thrown.
 */
export async function* choiceEvents(service: Service, visit: Visit, jobs: readonly Job[]): AsyncGenerator<ChoiceEvent> {
  const stop = new AbortController();
  const signal = AbortSignal.any([visit.signal, stop.signal]);
  const generations = jobs.flatMap((job) => start(service, job, signal));
  const sources = generations.map((generation, index) => eventsOf(service, visit, index, generation));
  try {
    yield* sources.length === 1 ? sources[0]! : merge(sources);
  } catch (error) {
    service.metrics.cancelled();
    throw visit.signal.aborted ? visit.signal.reason : error;
  } finally {
    stop.abort();
  }
}

/** The choices of a job. Their tokens are counted when they are made, whenever they are read. */
function start({ model, metrics }: Service, { prompt, options, count, reading }: Job, signal: AbortSignal) {
  const last = new Map<number, number>();
  const onPiece = (index: number) => {
    const [now, before] = [performance.now(), last.get(index)];
    metrics.token(before === undefined ? undefined : now - before);
    last.set(index, now);
  };
  return model.generateMany(prompt, { ...options, signal }, count, onPiece, reading);
}

async function* eventsOf(
  { metrics }: Service,
  { trace }: Visit,
  index: number,
  generation: Generation,
): AsyncGenerator<ChoiceEvent> {
  for await (const piece of generation) {
    trace.completionTokens++;
    yield { index, piece };
  }
  const result = await generation.result;
  metrics.generated(result);
  trace.promptTokens += result.promptTokens;
  trace.cachedTokens += result.cachedTokens;
  trace.finished.push(result.stopReason);
  yield { index, result };
}
