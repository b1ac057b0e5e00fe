/** Writes GGUF files for tests, sound ones and, where a test overrides a field, damaged ones. Little-endian. */
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';

/** gguf_metadata_value_type of the GGUF specification. */
const VALUE_TYPES = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

type ValueType = keyof typeof VALUE_TYPES;

/** What an array holds. Arrays of arrays exist in no model file that we read. */
type MetadataElement = string | Buffer | boolean | number | bigint;

export type MetadataValue =
  | { readonly type: 'string'; readonly value: string | Buffer }
  | { readonly type: 'bool'; readonly value: boolean | number }
  | { readonly type: Exclude<ValueType, 'string' | 'bool' | 'array'>; readonly value: number | bigint }
  | { readonly type: 'array'; readonly of: ValueType; readonly value: readonly MetadataElement[] };

export const u32 = (value: number): MetadataValue => ({ type: 'uint32', value });
export const f32 = (value: number): MetadataValue => ({ type: 'float32', value });
export const str = (value: string | Buffer): MetadataValue => ({ type: 'string', value });

export interface TensorInput {
  readonly name: string | Buffer;
  /** A number is written as it is, for types that nobody knows. */
  readonly type: GgmlType | number;
  /** Innermost dimension first, as in the file: [cols, rows]. */
  readonly dims: readonly (number | bigint)[];
  readonly data: Uint8Array;
  /** Written instead of the true offset in the data section, for damaged files; the data stays where it belongs. */
  readonly offset?: number | bigint;
}

export interface GgufInput {
  /** Default 3. */
  readonly version?: number;
  /** Bytes; default 32. Written to the metadata only if a test lists general.alignment there. */
  readonly alignment?: number;
  /** Written in order, so a key may stand twice. */
  readonly metadata: readonly (readonly [key: string | Buffer, value: MetadataValue])[];
  /** Written in order, each padded to the alignment. */
  readonly tensors: readonly TensorInput[];
}

function u32Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64Bytes(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function strBytes(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64Bytes(bytes.length), bytes]);
}

function scalar(type: ValueType, value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  switch (type) {
    case 'uint8':
    case 'bool':
      return bytes.subarray(0, bytes.writeUInt8(Number(value)));
    case 'int8':
      return bytes.subarray(0, bytes.writeInt8(Number(value)));
    case 'uint16':
      return bytes.subarray(0, bytes.writeUInt16LE(Number(value)));
    case 'int16':
      return bytes.subarray(0, bytes.writeInt16LE(Number(value)));
    case 'uint32':
      return bytes.subarray(0, bytes.writeUInt32LE(Number(value)));
    case 'int32':
      return bytes.subarray(0, bytes.writeInt32LE(Number(value)));
    case 'float32':
      return bytes.subarray(0, bytes.writeFloatLE(Number(value)));
    case 'uint64':
      return bytes.subarray(0, bytes.writeBigUInt64LE(BigInt(value)));
    case 'int64':
      return bytes.subarray(0, bytes.writeBigInt64LE(BigInt(value)));
    case 'float64':
      return bytes.subarray(0, bytes.writeDoubleLE(Number(value)));
    default:
      throw new Error(`${type} is not a scalar`);
  }
}

function payload(type: ValueType, value: MetadataElement): Buffer {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return strBytes(value);
  return scalar(type, typeof value === 'boolean' ? Number(value) : value);
}

function metadataValue(entry: MetadataValue): Buffer {
  const type = u32Bytes(VALUE_TYPES[entry.type]);
  if (entry.type !== 'array') return Buffer.concat([type, payload(entry.type, entry.value)]);
  const elements = entry.value.map((element) => payload(entry.of, element));
  return Buffer.concat([type, u32Bytes(VALUE_TYPES[entry.of]), u64Bytes(elements.length), ...elements]);
}

function padding(length: number, alignment: number): Buffer {
  return Buffer.alloc((alignment - (length % alignment)) % alignment);
}

/** The bytes of a GGUF file. Nothing is checked: what a test asks for is what is written. */
export function writeGguf({ version = 3, alignment = 32, metadata, tensors }: GgufInput): Buffer {
  const header = [Buffer.from('GGUF'), u32Bytes(version), u64Bytes(tensors.length), u64Bytes(metadata.length)];
  for (const [key, entry] of metadata) header.push(strBytes(key), metadataValue(entry));

  const data: Uint8Array[] = [];
  let end = 0;
  for (const tensor of tensors) {
    const type = typeof tensor.type === 'number' ? tensor.type : GGML_TYPES[tensor.type].id;
    header.push(
      strBytes(tensor.name),
      u32Bytes(tensor.dims.length),
      ...tensor.dims.map(u64Bytes),
      u32Bytes(type),
      u64Bytes(tensor.offset ?? end),
    );
    const gap = padding(end + tensor.data.length, alignment);
    data.push(tensor.data, gap);
    end += tensor.data.length + gap.length;
  }
  const head = Buffer.concat(header);
  return Buffer.concat([head, padding(head.length, alignment), ...data]);
}
