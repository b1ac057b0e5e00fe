/** JSON of model files: objects only, with every key once, which JSON.parse alone does not ask for. */
import { ModelFileError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { decodeUtf8 } from './header_reader.js';
import { scanJson } from './json_scan.js';
import { readSmallFile } from './open_file.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Errors: ModelFileError, with `place` as where in the file. `repeats`: keys may stand twice, and the last counts.
 */
export function parseObject(bytes: Uint8Array, path: string, place: string, { repeats = false } = {}): JsonObject {
  const fail = (problem: string): never => {
    throw new ModelFileError(path, place, problem);
  };
  const text = decodeUtf8(bytes) ?? fail('expected UTF-8, found bytes that are not');
  const { tooMuch, twice } = scanJson(text);
  if (tooMuch !== undefined) fail(tooMuch);
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail(`expected JSON: ${(error as Error).message}`);
  }
  if (!isObject(value)) return fail(`expected a JSON object, found ${kindOf(value)}`);
  if (twice !== undefined && !repeats) fail(`expected every key once, found ${twice} a second time in the same object`);
  return value;
}

/** Of a whole file, of at most `most` bytes; undefined where there is no such file. Errors: as of parseObject. */
export function readJsonFile(path: string, most: number, options?: { repeats: boolean }): JsonObject | undefined {
  const bytes = readSmallFile(path, most);
  return bytes && parseObject(bytes, path, 'file', options);
}

export function kindOf(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return 'an object';
  return typeof value === 'string' ? quote(value) : `${value}`;
}
