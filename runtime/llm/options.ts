/** Checks of what callers pass: what a generation is to do, every number in range and no name misspelt. */
import { randomInt } from 'node:crypto';
import { checkBoolean, checkInteger, invalid } from '../addon/arguments.js';
import type { Sampling } from '../addon/index.js';
import { packSampling } from '../addon/sampling.js';
import { type Format, isFormat } from '../format/format.js';
import type { GenerateOptions, LoadOptions, TemplateOptions } from './types.js';

const MAX_STOPS = 16;
const MAX_LOGPROBS = 100;

/** Names of a type's properties; the compiler checks that none is missing. */
const names = <T>(all: Record<keyof T, true>): readonly string[] => Object.keys(all);

const SAMPLING_NAMES: Record<Exclude<keyof Sampling, 'logitBias' | 'seed'>, true> = {
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repeatPenalty: true,
  presencePenalty: true,
  frequencyPenalty: true,
  repeatLastN: true,
};
const GENERATE_NAMES = names<GenerateOptions>({
  ...SAMPLING_NAMES,
  seed: true,
  maxTokens: true,
  stop: true,
  logitBias: true,
  logprobs: true,
  ignoreEos: true,
  format: true,
  signal: true,
});
export const TEMPLATE_NAMES = names<Omit<TemplateOptions, 'addGenerationPrompt'>>({
  tools: true,
  templateVariables: true,
});
export const LOAD_NAMES = names<LoadOptions>({
  model: true,
  context: true,
  device: true,
  checkLibrary: true,
  key: true,
  sequences: true,
  sessions: true,
  kvMemory: true,
  deterministic: true,
  chatTemplate: true,
  toolFormat: true,
  onProgress: true,
  signal: true,
});

/** An object that has no other properties than these. */
export function checkOptions(value: unknown, known: readonly string[]): asserts value is object {
  if (typeof value !== 'object' || value === null) throw invalid('options', 'an object', value);
  for (const name of Object.keys(value))
    if (!known.includes(name)) throw invalid(`options: each name`, `one of ${known.join(', ')}`, name);
}

export function checkSignal(value: unknown): AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal)) throw invalid('options.signal', 'an AbortSignal', value);
  return value;
}

/** GenerateOptions, checked and complete. */
export interface Settings {
  /** With a seed. */
  readonly sampling: Sampling & { readonly seed: number | bigint };
  /** Infinite unless given. */
  readonly maxTokens: number;
  readonly stops: readonly string[];
  /** Undefined: none. */
  readonly logprobs: number | undefined;
  readonly promptLogprobs: boolean;
  readonly ignoreEos: boolean;
  readonly format: Format | undefined;
  readonly signal: AbortSignal | undefined;
}

interface Vocabulary {
  readonly vocabSize: number;
  readonly endTokens: readonly number[];
}

/** `more`: names of further options, which the caller checks. Throws INVALID_ARGUMENT. */
export function readGenerateOptions(
  options: GenerateOptions,
  { vocabSize, endTokens }: Vocabulary,
  more: readonly string[] = [],
): Settings {
  checkOptions(options, [...GENERATE_NAMES, ...more]);
  const given = Object.keys(SAMPLING_NAMES).map((name) => [name, options[name as keyof Sampling]] as const);
  const ignoreEos = checkBoolean('options.ignoreEos', options.ignoreEos ?? false);
  const biases = new Map(readBiases(options.logitBias ?? []));
  if (ignoreEos) for (const token of endTokens) biases.set(token, Number.NEGATIVE_INFINITY);
  const sampling = {
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    logitBias: biases,
    seed: options.seed ?? (options.temperature ? randomInt(2 ** 32) : 0),
  };
  packSampling(sampling, vocabSize, 'options');
  const { maxTokens, logprobs } = options;
  return {
    sampling,
    maxTokens:
      maxTokens === undefined
        ? Number.POSITIVE_INFINITY
        : checkInteger('options.maxTokens', maxTokens, Number.MAX_SAFE_INTEGER),
    stops: readStops(options.stop ?? []),
    logprobs: logprobs === undefined ? undefined : checkInteger('options.logprobs', logprobs, MAX_LOGPROBS),
    promptLogprobs: false,
    ignoreEos,
    format: options.format === undefined ? undefined : readFormat(options.format, ignoreEos),
    signal: checkSignal(options.signal),
  };
}

/** Errors: INVALID_ARGUMENT where it does not look like one. */
export function readFormat(format: unknown, ignoreEos = false): Format {
  if (!isFormat(format))
    throw invalid(
      'options.format',
      '{schema}, {regex}, {grammar}, {choice}, {parts} or {through}, one of them',
      format,
    );
  if (ignoreEos) throw invalid('options.ignoreEos', 'false with a format, which says where the text ends', ignoreEos);
  return format;
}

function readStops(stop: unknown): string[] {
  const stops: unknown = typeof stop === 'string' ? [stop] : stop;
  const isList = Array.isArray(stops) && stops.length <= MAX_STOPS;
  if (!isList || !stops.every((text) => typeof text === 'string' && text !== ''))
    throw invalid('options.stop', `a text or a list of at most ${MAX_STOPS}, none of them empty`, stop);
  return stops;
}

/** Pairs of token and bias; packSampling checks both. */
function readBiases(biases: unknown): Iterable<readonly [number, number]> {
  if (typeof biases !== 'object' || biases === null)
    throw invalid('options.logitBias', 'a Map, a list of [token, bias], or an object by token', biases);
  if (Symbol.iterator in biases) {
    const pairs = [...(biases as Iterable<unknown>)];
    if (!pairs.every((pair) => Array.isArray(pair) && pair.length === 2))
      throw invalid('options.logitBias', 'a Map, a list of [token, bias], or an object by token', biases);
    return pairs as [number, number][];
  }
  return Object.entries(biases).map(([token, bias]) => {
    if (!/^\d+$/.test(token)) throw invalid('options.logitBias: a token', 'a token id', token);
    return [Number(token), bias];
  });
}
