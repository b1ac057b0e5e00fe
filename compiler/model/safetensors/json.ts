/** JSON of model files: objects only, with every key once, which JSON.parse alone does not ask for. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ModelFileError } from '../../errors.js';
import { decodeUtf8 } from '../header_reader.js';
import { quote } from '../quote.js';

const { O_RDONLY, O_NONBLOCK } = constants;

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
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail(`expected JSON: ${(error as Error).message}`);
  }
  if (!isObject(value)) return fail(`expected a JSON object, found ${kindOf(value)}`);
  const twice = repeats ? undefined : repeatedKey(text);
  if (twice !== undefined) fail(`expected every key once, found ${quote(twice)} a second time in the same object`);
  return value;
}

/** Of a whole file, of at most `most` bytes; undefined where there is no such file. Errors: as of parseObject. */
export function readJsonFile(path: string, most: number, options?: { repeats: boolean }): JsonObject | undefined {
  const bytes = readSmallFile(path, most);
  return bytes && parseObject(bytes, path, 'file', options);
}

/** A file of at most `most` bytes; undefined where there is none. Errors: ModelFileError. */
export function readSmallFile(path: string, most: number): Buffer | undefined {
  const fd = openFile(path);
  if (fd === undefined) return undefined;
  try {
    const { size } = fstatSync(fd);
    if (size > most) throw new ModelFileError(path, 'file', `expected at most ${most} bytes, found ${size}`);
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
      const read = readSync(fd, bytes, at, size - at, at);
      if (read === 0) throw new ModelFileError(path, 'file', `expected ${size} bytes, found that it became shorter`);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** undefined where there is no such file. Errors: ModelFileError for what is no readable regular file. */
export function openFile(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NONBLOCK); // opening a pipe would wait for a writer
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ModelFileError(path, 'file', `expected a readable file: ${(error as Error).message}`);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new ModelFileError(path, 'file', 'expected a regular file');
}

export function kindOf(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return 'an object';
  return typeof value === 'string' ? quote(value) : `${value}`;
}

/** The tokens that matter here: strings, and what opens, closes and separates. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;

/** The first key that an object of this valid JSON has twice. */
function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let key: string | undefined;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':' && key !== undefined) {
      const keys = open.at(-1)!;
      const name: string = JSON.parse(key);
      if (keys.has(name)) return name;
      keys.add(name);
    }
    key = token.startsWith('"') ? token : undefined;
  }
  return undefined;
}
