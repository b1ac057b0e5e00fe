/** Reads the tensor table of a GGUF header and checks that every tensor lies in the file, apart from the others. */
import { ModelFileError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { type AnyGgmlType, type GgmlType, ggmlTypeOfId } from './ggml.js';
import type { HeaderReader } from './header_reader.js';
import { MAX_TENSORS } from './limits.js';

/** Of a tensor in the file, bytes. */
export interface Piece {
  readonly offset: number;
  readonly bytes: number;
}

/** How the file holds a tensor, where that is not as rows of its type one after another; all of it absent in GGUF files. */
export interface Stored {
  /** The type in the file, where the tensor becomes `type` on its way to the device; `bytes` are the file's. */
  readonly storedAs?: GgmlType;
  /** 1 is added to each element. */
  readonly plusOne?: true;
  /** Where its rows are, an equal number in each, if not all in one place; then `offset` is the first one's. */
  readonly pieces?: readonly Piece[];
  /**
   * Its rows (a vector's elements) alternate with those of another tensor, and these are the first, third, ... or the
   * second, fourth, ... of both together. `pieces` are of both, `bytes` its own.
   */
  readonly alternate?: 'even' | 'odd';
  /** The columns of each piece lie one after another. */
  readonly transposed?: true;
  /** MXFP4 in two places, neighbours in a byte: `pieces` are of the codes, this of the exponents, alternating alike. */
  readonly exponents?: Piece;
}

export interface TensorInfo extends Stored {
  readonly name: string;
  readonly type: AnyGgmlType;
  /** 1 to 4, elements; the first is contiguous. */
  readonly dims: readonly number[];
  /** From the start of the file, bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** A name of one byte, its length, one dimension, type and offset. */
const LEAST_ENTRY_BYTES = 33;
const LENGTH_BYTES = 8;
const MAX_NAME_BYTES = 64;
const MAX_DIMS = 4;
/** An element has at most 8 bytes, so sizes and ends stay exact in a JavaScript number. */
const MAX_ELEMENTS = 2 ** 48;

/** The number of tensors, from the header. */
export function readTensorCount(reader: HeaderReader): number {
  const count = reader.count('a number of tensors', LEAST_ENTRY_BYTES);
  if (count > MAX_TENSORS) reader.fail(`expected at most ${MAX_TENSORS} tensors, found ${count}`, reader.position - 8);
  return count;
}

/** Offsets are still from the start of the tensor data. Errors: ModelFileError that names the tensor and the byte. */
export function readTensorTable(reader: HeaderReader, count: number, alignment: number): TensorInfo[] {
  const names = new Set<string>();
  return Array.from({ length: count }, (_, i) => {
    reader.place = `tensor ${i}`;
    const name = readName(reader);
    reader.place = `tensor ${quote(name)}`;
    if (names.has(name)) reader.fail('expected every tensor name once, found it a second time');
    names.add(name);
    return readTensor(reader, name, alignment);
  });
}

function readName(reader: HeaderReader): string {
  const start = reader.position;
  const name = reader.string('a tensor name');
  if (name === '' || reader.position - start - LENGTH_BYTES > MAX_NAME_BYTES) {
    reader.fail(`expected a tensor name of 1 to ${MAX_NAME_BYTES} bytes, found ${quote(name)}`, start);
  }
  return name;
}

function readTensor(reader: HeaderReader, name: string, alignment: number): TensorInfo {
  const dims = readDims(reader);
  const id = reader.u32('a tensor type');
  const type = ggmlTypeOfId(id);
  if (type === undefined)
    return reader.fail(`expected a ggml tensor type, found unknown type ${id}`, reader.position - 4);

  const { blockSize, blockBytes } = type.info;
  const [cols = 0] = dims;
  if (cols % blockSize !== 0) {
    reader.fail(`expected rows of a multiple of ${blockSize} elements for ${type.name}, found ${cols}`);
  }
  const elements = dims.reduce((product, dim) => product * dim, 1);
  const offset = reader.u64('a tensor offset');
  if (offset % alignment !== 0) {
    reader.fail(
      `expected an offset that is a multiple of the alignment ${alignment}, found ${offset}`,
      reader.position - 8,
    );
  }
  return { name, type: type.name, dims, offset, bytes: (elements / blockSize) * blockBytes };
}

function readDims(reader: HeaderReader): number[] {
  const count = reader.u32('a number of dimensions');
  if (count < 1 || count > MAX_DIMS) {
    reader.fail(`expected 1 to ${MAX_DIMS} dimensions, found ${count}`, reader.position - 4);
  }
  const start = reader.position;
  const dims = Array.from({ length: count }, (_, i) => reader.u64(`dimension ${i}`));
  const zero = dims.indexOf(0);
  if (zero >= 0) reader.fail(`expected dimensions of 1 or more, found 0 for dimension ${zero}`, start + 8 * zero);
  const elements = dims.reduce((product, dim) => product * dim, 1);
  if (elements > MAX_ELEMENTS) {
    reader.fail(`expected dimensions that multiply to at most ${MAX_ELEMENTS}, found [${dims.join(', ')}]`, start);
  }
  return dims;
}

/** Turns offsets into the data section into offsets into the file. Errors: ModelFileError that names the tensor. */
export function placeTensors(
  tensors: readonly TensorInfo[],
  path: string,
  dataStart: number,
  fileBytes: number,
): TensorInfo[] {
  const placed = tensors.map((tensor) => ({ ...tensor, offset: dataStart + tensor.offset }));
  const byOffset = [...placed].sort((a, b) => a.offset - b.offset);
  for (const [i, { name, offset, bytes }] of byOffset.entries()) {
    const fail = (problem: string): never => {
      throw new ModelFileError(path, `tensor ${quote(name)}`, problem);
    };
    const end = offset + bytes;
    if (end > fileBytes) fail(`expected bytes ${offset} to ${end}, found the end of the file at ${fileBytes}`);
    const next = byOffset[i + 1];
    if (next && next.offset < end) {
      fail(`expected bytes ${offset} to ${end} of its own, found tensor ${quote(next.name)} at ${next.offset}`);
    }
  }
  return placed;
}
