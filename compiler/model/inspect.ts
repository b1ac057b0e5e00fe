/** What `realizar-compile inspect` shows of a model of any architecture. Plain data, ready for JSON. */
import { createHash } from 'node:crypto';
import { CompileError } from '../../runtime/common/errors.js';
import { type GgufFile, readGguf } from '../../runtime/files/gguf.js';
import type { Json } from '../../runtime/files/json.js';
import { maxSize } from '../../runtime/files/limits.js';
import type { Metadata, MetadataEntry, ScalarValue } from '../../runtime/files/metadata.js';
import { convertFolder } from '../../runtime/files/safetensors/convert.js';
import { isFolder, readFolder, type SafetensorsFolder } from '../../runtime/files/safetensors/folder.js';
import { modelSpec } from './load.js';

export interface Inspection {
  readonly path: string;
  readonly bytes: number;
  readonly format: 'gguf' | 'safetensors';
  /** Of GGUF; 0 for safetensors, which has none. */
  readonly version: number;
  readonly alignment: number;
  readonly headerBytes: number;
  readonly headerSha256: string;
  /** Why the file cannot be compiled; null where it can. */
  readonly refusal: string | null;
  /** A list, not an object: keys are the file's to choose. */
  readonly metadata: readonly InspectedEntry[];
  readonly tensors: readonly InspectedTensor[];
  /** Largest first. */
  readonly types: readonly TypeTotal[];
  readonly memory: {
    readonly weightsBytes: number;
    /** f16 keys and values of every layer at full context; null where the metadata does not describe attention. */
    readonly kvCache: readonly { readonly context: number; readonly bytes: number }[] | null;
  };
}

/** Integers beyond 2^53, NaN and infinities are strings. */
type JsonScalar = string | number | boolean;

export interface InspectedEntry {
  readonly key: string;
  readonly type: string;
  readonly value: JsonScalar | { readonly length: number; readonly of: string; readonly first: readonly JsonScalar[] };
}

export interface InspectedTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

interface TypeTotal {
  readonly type: string;
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

const SHOWN_ELEMENTS = 8;
const LEAST_CONTEXT = 512;
const F16_BYTES = 2;

/** Errors: ModelFileError for what is no model file or folder. */
export function inspectFile(path: string): Inspection {
  return isFolder(path) ? inspectFolder(readFolder(path)) : inspectModel(readGguf(path));
}

export function inspectModel(file: GgufFile): Inspection {
  const { path, bytes, version, alignment, headerBytes, headerSha256, metadata } = file;
  return {
    path,
    bytes,
    format: 'gguf',
    version,
    alignment,
    headerBytes,
    headerSha256,
    refusal: refusalOf(() => file),
    metadata: Array.from(metadata, ([key, entry]) => ({ key, type: entry.type, value: metadataValue(entry) })),
    tensors: file.tensors.map(({ name, type, dims, offset, bytes }) => ({ name, type, shape: dims, offset, bytes })),
    types: typeTotals(file.tensors),
    memory: {
      weightsBytes: file.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
      kvCache: kvCache(metadata),
    },
  };
}

/** With the names, types and shapes of the folder's files, and config.json's keys as they are. */
function inspectFolder(folder: SafetensorsFolder): Inspection {
  const { path, config, configBytes, files } = folder;
  const hash = createHash('sha256').update(configBytes);
  for (const { header } of files) hash.update(header);
  let start = configBytes.length;
  const tensors = files.flatMap((file) => {
    const base = start;
    start += file.bytes;
    return file.tensors.map(({ name, dtype, shape, offset, bytes }) => {
      return { name, type: dtype, dims: shape, offset: base + offset, bytes };
    });
  });
  return {
    path,
    bytes: start,
    format: 'safetensors',
    version: 0,
    alignment: 1,
    headerBytes: configBytes.length,
    headerSha256: hash.digest('hex'),
    refusal: refusalOf(() => convertFolder(folder)),
    metadata: Object.entries(config).map(([key, value]) => ({ key, ...configValue(value) })),
    tensors: tensors.map(({ dims, ...tensor }) => ({ ...tensor, shape: dims })),
    types: typeTotals(tensors),
    memory: {
      weightsBytes: tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
      kvCache: folderKvCache(folder),
    },
  };
}

/** null where the model cannot be compiled, so that its config.json may mean something else. */
function folderKvCache(folder: SafetensorsFolder): Inspection['memory']['kvCache'] {
  try {
    return kvCache(convertFolder(folder).metadata);
  } catch (error) {
    if (error instanceof CompileError) return null;
    throw error;
  }
}

/** Objects in config.json as their JSON. */
function configValue(value: Json): Omit<InspectedEntry, 'key'> {
  const scalar = (item: Json): JsonScalar => (typeof item === 'object' ? jsonOf(item) : item);
  if (!Array.isArray(value)) return { type: kindOfJson(value), value: scalar(value) };
  const first = value.slice(0, SHOWN_ELEMENTS).map(scalar);
  return { type: 'array', value: { length: value.length, of: kindOfJson(value[0] ?? null), first } };
}

/** Where arrays are nested deeper than the stack, no more than that. */
function jsonOf(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '…';
  }
}

const kindOfJson = (value: Json): string => (value === null ? 'null' : typeof value);

function refusalOf(read: () => GgufFile): string | null {
  try {
    modelSpec(read());
    return null;
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
}

function metadataValue(entry: MetadataEntry): InspectedEntry['value'] {
  if (entry.type !== 'array') return jsonScalar(entry.value);
  const first: JsonScalar[] = [];
  for (const element of entry.elements()) {
    if (first.length === SHOWN_ELEMENTS) break;
    first.push(jsonScalar(typeof element === 'object' ? Buffer.from(element).toString() : element));
  }
  return { length: entry.length, of: entry.of, first };
}

function jsonScalar(value: ScalarValue): JsonScalar {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`;
  return typeof value === 'number' && !Number.isFinite(value) ? `${value}` : value;
}

function typeTotals(
  tensors: readonly { readonly type: string; readonly dims: readonly number[]; readonly bytes: number }[],
): TypeTotal[] {
  const totals = new Map<string, TypeTotal>();
  for (const { type, dims, bytes } of tensors) {
    const sum = totals.get(type) ?? { type, tensors: 0, elements: 0, bytes: 0 };
    totals.set(type, {
      type,
      tensors: sum.tensors + 1,
      elements: sum.elements + dims.reduce((product, dim) => product * dim, 1),
      bytes: sum.bytes + bytes,
    });
  }
  return [...totals.values()].sort((a, b) => b.bytes - a.bytes);
}

/** At 512, 1024, ... and the most that the model was trained for. */
function kvCache(metadata: Metadata): Inspection['memory']['kvCache'] {
  const architecture = metadata.get('general.architecture');
  if (architecture?.type !== 'string') return null;
  const perPosition = kvBytesPerPosition(metadata, `${architecture.value}`);
  const [most] = uints(metadata, `${architecture.value}.context_length`);
  if (perPosition === undefined || most === undefined) return null;

  return contextsUpTo(most).map((context) => ({ context, bytes: context * perPosition }));
}

/** 512, 1024, ... and `most`. */
export function contextsUpTo(most: number): number[] {
  const contexts: number[] = [];
  for (let context = LEAST_CONTEXT; context < most; context *= 2) contexts.push(context);
  return [...contexts, most];
}

function kvBytesPerPosition(metadata: Metadata, architecture: string): number | undefined {
  const values = (suffix: string): number[] => uints(metadata, `${architecture}.${suffix}`);
  const [layers] = values('block_count');
  const heads = values('attention.head_count');
  const kvHeads = values('attention.head_count_kv');
  const headSize = (values('embedding_length')[0] ?? Number.NaN) / Math.max(...heads);
  const [keyLength = headSize] = values('attention.key_length');
  const [valueLength = keyLength] = values('attention.value_length');

  const perLayer = kvHeads.length > 0 ? kvHeads : heads;
  const [first] = perLayer;
  if (layers === undefined || first === undefined) return undefined;
  const allHeads = perLayer.length > 1 ? perLayer.reduce((sum, count) => sum + count, 0) : layers * first;
  const bytes = F16_BYTES * allHeads * (keyLength + valueLength);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** An integer or an array of them; empty where the key is absent or holds something else. */
function uints(metadata: Metadata, key: string): number[] {
  const entry = metadata.get(key);
  if (entry === undefined || (entry.type === 'array' && entry.length > maxSize('block_count'))) return [];
  const values = entry.type === 'array' ? [...entry.elements()] : [entry.value];
  const numbers = values.map((value) => (typeof value === 'bigint' ? Number(value) : value));
  return numbers.every((value) => Number.isSafeInteger(value) && Number(value) >= 0) ? numbers.map(Number) : [];
}
