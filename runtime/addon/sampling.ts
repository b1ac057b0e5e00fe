/** How a session chooses tokens: llama.cpp's parameters, in its order. */
import { checkInteger, checkNumber, invalid } from './arguments.js';

/** What is left out is off; all of it left out is greedy. */
export interface Sampling {
  /** 0, the default: the token with the largest logit. */
  readonly temperature?: number;
  /** Only the k most probable tokens; 0: all. */
  readonly topK?: number;
  /** Of these the fewest, most probable first, that together have at least this probability; 1: all. */
  readonly topP?: number;
  /** And at least this times the probability of the most probable; 0: all. */
  readonly minP?: number;
  /** The same seed, logits and position give the same token. 64 bits; 0 unless given. */
  readonly seed?: number | bigint;
  /** Divides the logits of tokens fed lately if positive, else multiplies; 1: none. */
  readonly repeatPenalty?: number;
  /** Subtracted from their logits. */
  readonly presencePenalty?: number;
  /** Subtracted from their logits as often as they were fed. */
  readonly frequencyPenalty?: number;
  /** How many tokens "lately" is; 64 unless given, -1: all. */
  readonly repeatLastN?: number;
  /** Added to the logits of tokens; -Infinity bans one. At most 1024. */
  readonly logitBias?: ReadonlyMap<number, number> | Iterable<readonly [token: number, bias: number]>;
}

const MAX_INT32 = 2 ** 31 - 1;
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** Arguments for NativeSession.setSampling. `name` is what the caller calls `sampling`. */
export function packSampling(
  sampling: Sampling,
  vocabSize: number,
  name = 'sampling',
): readonly [Float64Array, bigint, Int32Array, Float64Array] {
  if (typeof sampling !== 'object' || sampling === null) throw invalid(name, 'an object', sampling);
  const number = (key: keyof Sampling, fallback: number, least: number, most: number) =>
    checkNumber(`${name}.${key}`, sampling[key] ?? fallback, least, most);
  const lastN = sampling.repeatLastN ?? 64;
  const biases = [...checkBiases(`${name}.logitBias`, sampling.logitBias ?? [], vocabSize)];
  return [
    Float64Array.of(
      number('temperature', 0, 0, MAX_FLOAT),
      checkInteger(`${name}.topK`, sampling.topK ?? 0, MAX_INT32),
      number('topP', 1, 0, 1),
      number('minP', 0, 0, 1),
      lastN === -1 ? -1 : checkInteger(`${name}.repeatLastN`, lastN, MAX_INT32),
      number('repeatPenalty', 1, 2 ** -126, MAX_FLOAT),
      number('presencePenalty', 0, -MAX_FLOAT, MAX_FLOAT),
      number('frequencyPenalty', 0, -MAX_FLOAT, MAX_FLOAT),
    ),
    checkSeed(`${name}.seed`, sampling.seed ?? 0),
    Int32Array.from(biases, ([token]) => token),
    Float64Array.from(biases, ([, bias]) => bias),
  ];
}

function checkSeed(name: string, seed: number | bigint): bigint {
  const valid = typeof seed === 'bigint' ? seed >= 0n && seed < 1n << 64n : Number.isSafeInteger(seed) && seed >= 0;
  if (!valid) throw invalid(name, 'an integer from 0 to 2^64 - 1, from 2^53 on a bigint', seed);
  return BigInt(seed);
}

function* checkBiases(name: string, biases: unknown, vocabSize: number): Generator<readonly [number, number]> {
  const wanted = 'a Map or a list of [token, bias]';
  if (typeof biases !== 'object' || biases === null || !(Symbol.iterator in biases))
    throw invalid(name, wanted, biases);
  for (const pair of biases as Iterable<unknown>) {
    if (!Array.isArray(pair) || pair.length !== 2) throw invalid(name, wanted, biases);
    const token = checkInteger(`${name}: a token`, pair[0], vocabSize - 1);
    yield [token, checkNumber(`${name}: the bias of ${token}`, pair[1], Number.NEGATIVE_INFINITY, MAX_FLOAT)];
  }
}
