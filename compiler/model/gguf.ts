/** Reads a GGUF file's header: metadata and tensor table. Tensor data is never read. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { ModelFileError } from '../errors.js';
import { HeaderReader } from './header_reader.js';
import { looksLike } from './magic.js';
import type { Metadata } from './metadata.js';
import { readMetadata, readMetadataCount } from './metadata_reader.js';
import { placeTensors, readTensorCount, readTensorTable, type TensorInfo } from './tensor_table.js';

export interface GgufFile {
  readonly path: string;
  readonly bytes: number;
  /** Bytes before the tensor data, alignment included. */
  readonly headerBytes: number;
  /** SHA-256 of those bytes, lower-case hex. */
  readonly headerSha256: string;
  /** 2 or 3; they do not differ in a little-endian file. */
  readonly version: number;
  /** Of tensors in the file, bytes. */
  readonly alignment: number;
  readonly metadata: Metadata;
  /** In the order of the file's table. */
  readonly tensors: readonly TensorInfo[];
}

const FIXED_HEADER_BYTES = 24;
const DEFAULT_ALIGNMENT = 32;

/** Errors: ModelFileError for a file that is absent, damaged or no GGUF; it names the place. */
export function readGguf(path: string): GgufFile {
  const fd = openModel(path);
  try {
    return readHeader(new HeaderReader(fd, path, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

function openModel(path: string): number {
  try {
    // Opening a pipe would wait for a writer.
    if (!statSync(path).isFile()) throw new ModelFileError(path, 'file', 'expected a regular file');
    return openSync(path, 'r');
  } catch (error) {
    if (error instanceof ModelFileError) throw error;
    throw new ModelFileError(path, 'file', `expected a readable file: ${(error as Error).message}`);
  }
}

function readHeader(reader: HeaderReader): GgufFile {
  checkMagic(reader);
  const version = readVersion(reader);
  const tensorCount = readTensorCount(reader);
  const metadata = readMetadata(reader, readMetadataCount(reader));
  const alignment = alignmentOf(metadata);
  const table = readTensorTable(reader, tensorCount, alignment);

  reader.place = 'padding after the tensor table';
  const padding = -reader.position & (alignment - 1);
  reader.take(table.length > 0 ? padding : Math.min(padding, reader.remaining), 'padding');
  const header = reader.header();
  return {
    path: reader.path,
    bytes: reader.fileBytes,
    headerBytes: header.length,
    headerSha256: createHash('sha256').update(header).digest('hex'),
    version,
    alignment,
    metadata,
    tensors: placeTensors(table, reader.path, header.length, reader.fileBytes),
  };
}

function checkMagic(reader: HeaderReader): void {
  if (reader.fileBytes < FIXED_HEADER_BYTES) {
    reader.fail(`expected a GGUF file, ${FIXED_HEADER_BYTES} bytes or more, found ${reader.fileBytes || 'no'} bytes`);
  }
  const start = reader.take(FIXED_HEADER_BYTES, 'a header');
  if (start.toString('latin1', 0, 4) !== 'GGUF') reader.fail(`expected the magic "GGUF", found ${looksLike(start)}`, 0);
  reader.position = 4;
}

function readVersion(reader: HeaderReader): number {
  const at = reader.position;
  const version = reader.u32('a version');
  if (version === 2 || version === 3) return version;
  const found =
    version !== 0 && (version & 0xffff) === 0
      ? 'a big-endian file (convert it with gguf_convert_endian.py)'
      : `version ${version}`;
  return reader.fail(`expected version 2 or 3, little-endian, found ${found}`, at);
}

function alignmentOf(metadata: Metadata): number {
  const key = 'general.alignment';
  const alignment = metadata.getUint(key) ?? DEFAULT_ALIGNMENT;
  if (alignment >= 8 && alignment <= 2 ** 30 && (alignment & (alignment - 1)) === 0) return alignment;
  return metadata.fail(key, `expected a power of two of 8 or more, found ${alignment}`);
}
