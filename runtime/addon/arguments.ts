/** Checks of what callers pass, so that the native code never sees a value it cannot represent. */
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { failure, type RealizarError } from './errors.js';

export function invalid(name: string, expected: string, value: unknown): RealizarError {
  const found = inspect(value, { depth: 0, maxStringLength: 80, breakLength: Number.POSITIVE_INFINITY });
  return failure('INVALID_ARGUMENT', `${name} must be ${expected}; got ${found}`);
}

/** An integer from `least`, 0 unless given, to max. */
export function checkInteger(name: string, value: unknown, max: number, least = 0): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > max)
    throw invalid(name, `an integer from ${least} to ${max}`, value);
  return value + 0; // -0 becomes 0
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalid(name, 'true or false', value);
  return value;
}

/** A path as the file system takes it; file: URLs are converted. */
export function checkPath(name: string, value: unknown): string {
  const path = value instanceof URL && value.protocol === 'file:' ? fileURLToPath(value) : value;
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalid(name, 'a path or a file: URL', value);
  return path;
}

/** A number, or infinity where that is in range; the C ABI has the last word. */
export function checkNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw invalid(name, `a number from ${least} to ${most}`, value);
  return value;
}

/** Token ids below `vocabSize`, in an array or anything else that can be iterated. */
export function checkTokens(name: string, value: unknown, vocabSize: number): Int32Array {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value))
    throw invalid(name, 'a list of token ids', value);
  return Int32Array.from(value as Iterable<unknown>, (token, i) => checkInteger(`${name}[${i}]`, token, vocabSize - 1));
}

/** Steps as one launch of the graph, or its nodes one after another, which is for comparing. */
export type Mode = 'graph' | 'eager';
const MODES: Record<Mode, number> = { graph: 0, eager: 1 };

/** The number that the C ABI has for `options.mode`; graph where it is left out. */
export function checkMode(options: unknown): number {
  if (options === undefined) return MODES.graph;
  if (typeof options !== 'object' || options === null) throw invalid('options', 'an object', options);
  const mode = 'mode' in options ? options.mode : undefined;
  if (mode === undefined) return MODES.graph;
  if (mode !== 'graph' && mode !== 'eager') throw invalid('options.mode', "'graph' or 'eager'", mode);
  return MODES[mode];
}
