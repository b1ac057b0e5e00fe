/** A folder that transformers' save_pretrained wrote: config.json, and weights in one safetensors file or several. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ModelFileError } from '../../common/errors.js';
import { quote } from '../../common/quote.js';
import { isObject, type JsonObject, kindOf, parseObject, readJsonFile } from '../json.js';
import { MAX_BYTES } from '../limits.js';
import { readSmallFile } from '../open_file.js';
import { readSafetensors, type SafetensorsFile } from './header.js';

export interface SafetensorsFolder {
  readonly path: string;
  /** config.json, and its bytes. */
  readonly config: JsonObject;
  readonly configBytes: Buffer;
  /** In the order of their names. */
  readonly files: readonly SafetensorsFile[];
}

export const CONFIG = 'config.json';
const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** Errors: ModelFileError for what is missing, damaged or contradicts itself; it names file and place. */
export function readFolder(path: string): SafetensorsFolder {
  const configPath = join(path, CONFIG);
  const configBytes = readSmallFile(configPath, MAX_BYTES.config);
  if (configBytes === undefined)
    throw new ModelFileError(
      path,
      'folder',
      `expected a model as transformers saves it, with ${CONFIG} and ${SINGLE} or ${INDEX}, found no ${CONFIG}`,
    );
  const config = parseObject(configBytes, configPath, 'file');
  return { path, config, configBytes, files: readFiles(path) };
}

function readFiles(path: string): SafetensorsFile[] {
  const single = join(path, SINGLE);
  if (existsSync(single)) return [readSafetensors(single)];
  const indexPath = join(path, INDEX);
  const index = readJsonFile(indexPath, MAX_BYTES.safetensorsIndex);
  if (index === undefined)
    throw new ModelFileError(
      path,
      'folder',
      `expected ${SINGLE}, or shards and their ${INDEX}, found neither; other formats must be saved again by transformers with safe_serialization=True`,
    );
  return readShards(path, indexPath, index);
}

function readShards(path: string, indexPath: string, { weight_map: map }: JsonObject): SafetensorsFile[] {
  const fail = (problem: string): never => {
    throw new ModelFileError(indexPath, '"weight_map"', problem);
  };
  if (!isObject(map)) return fail(`expected an object of file names by tensor name, found ${kindOf(map)}`);
  const tensors = Object.entries(map).map(([tensor, file]): [string, string] => {
    // A name, not a path: the index may come from anybody.
    if (typeof file !== 'string' || !/^[\w.-]+\.safetensors$/.test(file) || file.startsWith('.'))
      return fail(`expected the name of a safetensors file for ${quote(tensor)}, found ${kindOf(file)}`);
    return [tensor, file];
  });
  const names = [...new Set(tensors.map(([, file]) => file))].sort();
  if (names.length === 0) fail('expected tensors, found none');
  const fileOf = new Map(tensors);
  return names.map((name) => {
    const file = readSafetensors(join(path, name));
    const found = new Set(file.tensors.map((tensor) => tensor.name));
    const missing = tensors.find(([tensor, of]) => of === name && !found.has(tensor));
    if (missing) fail(`expected ${quote(missing[0])} in ${name}, found no such tensor there`);
    const extra = file.tensors.find((tensor) => fileOf.get(tensor.name) !== name);
    if (extra)
      fail(`expected ${quote(extra.name)} to be in ${name}, where it is, found ${kindOf(fileOf.get(extra.name))}`);
    return file;
  });
}
