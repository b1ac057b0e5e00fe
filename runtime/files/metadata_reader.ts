/** Reads the key-value section of a GGUF header. */

import { quote } from '../common/quote.js';
import type { HeaderReader } from './header_reader.js';
import { type ArrayEntry, Metadata, type MetadataEntry, type ScalarType } from './metadata.js';

interface FixedType {
  readonly name: Exclude<ScalarType, 'string'>;
  readonly bytes: number;
  readonly read: (bytes: Buffer, offset: number) => number | bigint | boolean;
}

/** gguf_metadata_value_type of the GGUF specification: ids 8 and 9 are string and array. */
const FIXED_TYPES = new Map<number, FixedType>([
  [0, { name: 'uint8', bytes: 1, read: (b, o) => b.readUInt8(o) }],
  [1, { name: 'int8', bytes: 1, read: (b, o) => b.readInt8(o) }],
  [2, { name: 'uint16', bytes: 2, read: (b, o) => b.readUInt16LE(o) }],
  [3, { name: 'int16', bytes: 2, read: (b, o) => b.readInt16LE(o) }],
  [4, { name: 'uint32', bytes: 4, read: (b, o) => b.readUInt32LE(o) }],
  [5, { name: 'int32', bytes: 4, read: (b, o) => b.readInt32LE(o) }],
  [6, { name: 'float32', bytes: 4, read: (b, o) => b.readFloatLE(o) }],
  [7, { name: 'bool', bytes: 1, read: (b, o) => b.readUInt8(o) === 1 }],
  [10, { name: 'uint64', bytes: 8, read: (b, o) => b.readBigUInt64LE(o) }],
  [11, { name: 'int64', bytes: 8, read: (b, o) => b.readBigInt64LE(o) }],
  [12, { name: 'float64', bytes: 8, read: (b, o) => b.readDoubleLE(o) }],
]);
const STRING = 8;
const ARRAY = 9;

/** A key of one byte, its length, its type and a value of one byte. */
const LEAST_ENTRY_BYTES = 14;
const LENGTH_BYTES = 8;
const MAX_KEY_BYTES = 65535;
const MAX_KEYS = 1 << 20;

/** Reads the number of entries that the header announced. Errors: ModelFileError that names the key and the byte. */
export function readMetadata(reader: HeaderReader, count: number): Metadata {
  const entries = new Map<string, MetadataEntry>();
  for (let i = 0; i < count; i++) {
    reader.place = `metadata entry ${i}`;
    const start = reader.position;
    const key = reader.string('a key');
    if (key === '' || reader.position - start - LENGTH_BYTES > MAX_KEY_BYTES) {
      reader.fail(`expected a key of 1 to ${MAX_KEY_BYTES} bytes, found ${quote(key)}`, start);
    }
    reader.place = `metadata key ${quote(key)}`;
    if (entries.has(key)) reader.fail('expected every key once, found it a second time', start);
    entries.set(key, readEntry(reader));
  }
  return new Metadata(reader.path, entries);
}

/** The number of metadata entries, from the header. */
export function readMetadataCount(reader: HeaderReader): number {
  const count = reader.count('a number of metadata entries', LEAST_ENTRY_BYTES);
  if (count > MAX_KEYS)
    reader.fail(`expected at most ${MAX_KEYS} metadata entries, found ${count}`, reader.position - 8);
  return count;
}

function readEntry(reader: HeaderReader): MetadataEntry {
  const type = reader.u32('a value type');
  if (type === STRING) return { type: 'string', value: reader.string('a string value') };
  if (type === ARRAY) return readArray(reader);
  const fixed = FIXED_TYPES.get(type) ?? unknownType(reader, type);
  const bytes = reader.take(fixed.bytes, `a value of type ${fixed.name}`);
  if (fixed.name === 'bool') checkBools(reader, bytes);
  return { type: fixed.name, value: fixed.read(bytes, 0) };
}

function readArray(reader: HeaderReader): ArrayEntry {
  const type = reader.u32('an element type');
  if (type === ARRAY) reader.fail('expected an array of scalars or strings, found nested arrays', reader.position - 4);
  if (type === STRING) return readStringArray(reader);
  const fixed = FIXED_TYPES.get(type) ?? unknownType(reader, type);
  const length = reader.count(`a number of ${fixed.name} elements`, fixed.bytes);
  const bytes = reader.take(length * fixed.bytes, `${length} elements`);
  if (fixed.name === 'bool') checkBools(reader, bytes);
  return { type: 'array', of: fixed.name, length, elements: () => fixedElements(fixed, bytes) };
}

/** Walks the lengths, so that every string is known to lie in the file, and decodes none. */
function readStringArray(reader: HeaderReader): ArrayEntry {
  const length = reader.count('a number of strings', LENGTH_BYTES);
  const start = reader.position;
  for (let i = 0; i < length; i++) {
    reader.take(reader.count(`a length of string ${i}`, 1), `string ${i}`);
  }
  const bytes = reader.header().subarray(start);
  return { type: 'array', of: 'string', length, elements: () => stringElements(bytes) };
}

function* fixedElements({ bytes: size, read }: FixedType, bytes: Buffer): Iterable<number | bigint | boolean> {
  for (let offset = 0; offset < bytes.length; offset += size) yield read(bytes, offset);
}

function* stringElements(bytes: Buffer): Iterable<Uint8Array> {
  for (let offset = 0; offset < bytes.length; ) {
    const start = offset + LENGTH_BYTES;
    offset = start + Number(bytes.readBigUInt64LE(offset));
    yield bytes.subarray(start, offset);
  }
}

function checkBools(reader: HeaderReader, bytes: Buffer): void {
  const wrong = bytes.findIndex((byte) => byte > 1);
  if (wrong < 0) return;
  reader.fail(`expected a bool of 0 or 1, found ${bytes[wrong]}`, reader.position - bytes.length + wrong);
}

function unknownType(reader: HeaderReader, type: number): never {
  return reader.fail(`expected a value type of 0 to 12, found ${type}`, reader.position - 4);
}
