/**
 * Models split over several files, by llama-gguf-split or in a folder of safetensors. Everything after this file sees one file: the parts one after the
 * other, with tensor offsets into the whole. runtime/model_file.cpp does the same.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { ModelFileError } from '../common/errors.js';

/** One file of the model; a model that is not split has one. */
export interface Part {
  /** In the model's folder; absent: a GGUF file, by llama-gguf-split's pattern. */
  readonly name?: string;
  readonly bytes: number;
  /** Before its tensor data. */
  readonly headerBytes: number;
}

const NAME = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/i;

/** "model" of "model.gguf", of "model-00001-of-00003.gguf" and of the folder "model". */
export function modelStem(path: string): string {
  const name = basename(resolve(path));
  return NAME.exec(name)?.[1] ?? name.replace(/\.gguf$/i, '');
}

/** The paths of all parts, from the first one's. Errors: ModelFileError where that is not its name. */
export function partPaths(path: string, count: number): string[] {
  if (count === 1) return [path];
  const five = (number: number) => `${number}`.padStart(5, '0');
  const [, stem = '', number, of, extension = ''] = NAME.exec(basename(path)) ?? [];
  if (number !== five(1) || of !== five(count)) {
    const expected = `the first of the model's ${count} parts, a file named *-${five(1)}-of-${five(count)}.gguf`;
    throw new ModelFileError(path, 'file', `expected ${expected}, found ${JSON.stringify(basename(path))}`);
  }
  return Array.from({ length: count }, (_, i) => join(dirname(path), `${stem}-${five(i + 1)}-of-${of}${extension}`));
}

/** The paths of a model's files, in order. */
export function filePaths(path: string, parts: readonly Part[]): string[] {
  if (parts[0]?.name === undefined) return partPaths(path, parts.length);
  return parts.map(({ name = '' }) => join(path, name));
}
