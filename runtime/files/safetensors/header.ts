/** Reads the header of a safetensors file and enforces the format's rules. Tensor data is never read. */
import { closeSync, fstatSync } from 'node:fs';
import { ModelFileError } from '../../common/errors.js';
import { quote, several } from '../../common/quote.js';
import { HeaderReader } from '../header_reader.js';
import { isObject, type Json, type JsonObject, kindOf, parseObject } from '../json.js';
import { MAX_BYTES, MAX_TENSORS } from '../limits.js';
import { openFile } from '../open_file.js';

/** Bits an element. The format's own list (safetensors 0.6). */
const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ['F4', 4],
  ...['F6_E2M3', 'F6_E3M2'].map((name) => [name, 6] as const),
  ...['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0'].map((name) => [name, 8] as const),
  ...['I16', 'U16', 'F16', 'BF16'].map((name) => [name, 16] as const),
  ...['I32', 'U32', 'F32'].map((name) => [name, 32] as const),
  ...['I64', 'U64', 'F64', 'C64'].map((name) => [name, 64] as const),
]);

export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: string;
  /** Row-major: the last is contiguous. Empty for a scalar. */
  readonly shape: readonly number[];
  /** From the start of the file, bytes. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsFile {
  readonly path: string;
  readonly bytes: number;
  /** Everything before the tensor data. */
  readonly header: Buffer;
  /** By their place in the file. */
  readonly tensors: readonly SafetensorsTensor[];
}

const LENGTH_BYTES = 8;
const MAX_ELEMENTS = 2 ** 48;

/** Errors: ModelFileError that names the place; also where there is no such file. */
export function readSafetensors(path: string): SafetensorsFile {
  const fd = openFile(path);
  if (fd === undefined) throw new ModelFileError(path, 'file', 'expected a readable file, found none');
  try {
    const reader = new HeaderReader(fd, path, fstatSync(fd).size);
    const json = readHeaderJson(reader);
    const header = reader.header();
    const entries = Object.entries(json);
    if (entries.length > MAX_TENSORS)
      throw new ModelFileError(path, 'header', `expected at most ${MAX_TENSORS} tensors, found ${entries.length}`);
    const tensors = entries
      .filter(([name]) => name !== '__metadata__')
      .map(([name, entry]) => readTensor(path, name, entry, header.length));
    checkMetadata(path, json);
    return { path, bytes: reader.fileBytes, header, tensors: checkPlaces(path, tensors, reader) };
  } finally {
    closeSync(fd);
  }
}

function readHeaderJson(reader: HeaderReader): JsonObject {
  if (reader.fileBytes < LENGTH_BYTES)
    reader.fail(`expected a safetensors file, ${LENGTH_BYTES} bytes or more, found ${reader.fileBytes} bytes`);
  const length = reader.u64('a length of the header');
  if (length > MAX_BYTES.safetensorsHeader)
    reader.fail(`expected a header of at most ${MAX_BYTES.safetensorsHeader} bytes, found a length of ${length}`, 0);
  const bytes = reader.take(length, 'a header');
  if (bytes[0] !== '{'.charCodeAt(0)) {
    const found = length === 0 ? 'an empty one' : quote(bytes.toString('latin1', 0, 16));
    reader.fail(`expected a header that begins with "{", found ${found}`, LENGTH_BYTES);
  }
  return parseObject(bytes, reader.path, `header at byte ${LENGTH_BYTES}`);
}

function checkMetadata(path: string, { __metadata__: metadata }: JsonObject): void {
  if (metadata === undefined) return;
  if (isObject(metadata) && Object.values(metadata).every((value) => typeof value === 'string')) return;
  throw new ModelFileError(path, 'header', 'expected "__metadata__" to be an object of strings, found something else');
}

/** Its first elements; foreign lists may be long. */
const listOf = (value: Json | undefined): string =>
  Array.isArray(value) ? `[${several(value.map(kindOf))}]` : kindOf(value);

const isCount = (value: Json | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readTensor(path: string, name: string, entry: Json, dataStart: number): SafetensorsTensor {
  const fail = (problem: string): never => {
    throw new ModelFileError(path, `tensor ${quote(name)}`, problem);
  };
  if (!isObject(entry)) return fail(`expected an object, found ${kindOf(entry)}`);
  const other = Object.keys(entry).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
  if (other !== undefined) fail(`expected dtype, shape and data_offsets, found ${quote(other)}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const bits = typeof dtype === 'string' ? DTYPE_BITS.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined)
    return fail(`expected a dtype of ${[...DTYPE_BITS.keys()].join(', ')}, found ${kindOf(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(isCount))
    return fail(`expected a shape of whole numbers of 0 or more, found ${listOf(shape)}`);
  const elements = shape.reduce((product: number, dim: number) => product * dim, 1);
  if (!shape.includes(0) && elements > MAX_ELEMENTS)
    fail(`expected dimensions that multiply to at most ${MAX_ELEMENTS}, found ${listOf(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    return fail(`expected data_offsets of two whole numbers of 0 or more, found ${listOf(offsets)}`);
  const [start, end] = offsets as [number, number];
  if (end < start) fail(`expected data_offsets in order, found [${start}, ${end}]`);
  if ((elements * bits) % 8 !== 0) fail(`expected whole bytes, found ${elements} elements of ${bits} bits`);
  const bytes = (elements * bits) / 8;
  if (end - start !== bytes)
    fail(`expected ${bytes} bytes for ${dtype} ${listOf(shape)}, found data_offsets of ${end - start}`);
  if (bits > 8 && start % (bits / 8) !== 0)
    fail(`expected a start that is a multiple of ${bits / 8}, the bytes of its ${dtype}, found ${start}`);
  return { name, dtype, shape: shape as number[], offset: dataStart + start, bytes };
}

/** The data section is covered by the tensors without overlap or holes, to the end of the file. */
function checkPlaces(path: string, tensors: readonly SafetensorsTensor[], reader: HeaderReader): SafetensorsTensor[] {
  const inOrder = [...tensors].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = reader.position;
  for (const { name, offset, bytes } of inOrder) {
    const fail = (problem: string): never => {
      throw new ModelFileError(path, `tensor ${quote(name)}`, problem);
    };
    if (offset + bytes > reader.fileBytes)
      fail(`expected bytes ${offset} to ${offset + bytes}, found the end of the file at ${reader.fileBytes}`);
    if (offset < end) fail(`expected bytes of its own from ${offset} on, found another tensor's up to ${end}`);
    if (offset > end)
      fail(`expected to begin at byte ${end}, where the one before it ends, found a hole up to ${offset}`);
    end = offset + bytes;
  }
  if (end !== reader.fileBytes)
    throw new ModelFileError(
      path,
      'file',
      `expected to end at byte ${end}, with its last tensor, found ${reader.fileBytes} bytes`,
    );
  return inOrder;
}
