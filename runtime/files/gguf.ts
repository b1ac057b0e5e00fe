/** Reads a GGUF file's header: metadata and tensor table. Tensor data is never read. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync } from 'node:fs';
import { ModelFileError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { HeaderReader } from './header_reader.js';
import { looksLike } from './magic.js';
import type { Metadata } from './metadata.js';
import { readMetadata, readMetadataCount } from './metadata_reader.js';
import { openFile } from './open_file.js';
import { type Part, partPaths } from './parts.js';
import type { Stated } from './stated.js';
import { placeTensors, readTensorCount, readTensorTable, type TensorInfo } from './tensor_table.js';

export interface GgufFile {
  /** Of the first part, where the model is split. */
  readonly path: string;
  /** Of all parts. */
  readonly bytes: number;
  /** In order; the model's only file where it is not split. */
  readonly parts: readonly Part[];
  /** Bytes before the (first part's) tensor data, alignment included. */
  readonly headerBytes: number;
  /** SHA-256 of those bytes, of all parts one after the other, lower-case hex. */
  readonly headerSha256: string;
  /** 2 or 3; they do not differ in a little-endian file. */
  readonly version: number;
  /** Of tensors in the file, bytes. */
  readonly alignment: number;
  readonly metadata: Metadata;
  /** In the order of the file's table. */
  readonly tensors: readonly TensorInfo[];
  /** Of a safetensors folder (safetensors/convert.ts). */
  readonly stated?: Stated;
}

const FIXED_HEADER_BYTES = 24;
const DEFAULT_ALIGNMENT = 32;

/** Errors: ModelFileError for a file that is absent, damaged or no GGUF; it names the place. */
export function readGguf(path: string): GgufFile {
  const first = readPart(path);
  const count = first.metadata.getUint('split.count') || 1;
  if (count === 1) return withHash(first, [first]);
  const paths = partPaths(path, count);
  const files = [first, ...paths.slice(1).map(readPart)];
  files.forEach((file, i) => {
    for (const [key, expected] of [
      ['split.no', i],
      ['split.count', count],
    ] as const)
      if (file.metadata.getUint(key) !== expected)
        file.metadata.fail(key, `expected ${expected}, found ${file.metadata.getUint(key)}`);
  });
  const tensors = joinTensors(files);
  const total = first.metadata.getUint('split.tensors.count');
  if (total !== undefined && total !== tensors.length)
    first.metadata.fail('split.tensors.count', `expected ${tensors.length}, the tensors of all parts, found ${total}`);
  return withHash({ ...first, tensors }, files);
}

/** Offsets become those into all parts one after the other. */
function joinTensors(files: readonly PartFile[]): TensorInfo[] {
  const names = new Set<string>();
  let start = 0;
  return files.flatMap(({ path, bytes, tensors }) => {
    const base = start;
    start += bytes;
    return tensors.map((tensor) => {
      if (names.has(tensor.name))
        throw new ModelFileError(
          path,
          `tensor ${quote(tensor.name)}`,
          'expected every tensor once, found it in two parts',
        );
      names.add(tensor.name);
      return { ...tensor, offset: base + tensor.offset };
    });
  });
}

/** A part by itself, with offsets of its own. */
type PartFile = Omit<GgufFile, 'parts' | 'headerSha256'> & { readonly header: Buffer };

function withHash({ header: _, ...file }: PartFile, parts: readonly PartFile[]): GgufFile {
  const hash = createHash('sha256');
  for (const { header } of parts) hash.update(header);
  return {
    ...file,
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    parts: parts.map(({ bytes, headerBytes }) => ({ bytes, headerBytes })),
    headerSha256: hash.digest('hex'),
  };
}

function readPart(path: string): PartFile {
  const fd = openFile(path);
  if (fd === undefined)
    throw new ModelFileError(path, 'file', 'expected a readable file, found none of that name (ENOENT)');
  try {
    return readHeader(new HeaderReader(fd, path, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

function readHeader(reader: HeaderReader): PartFile {
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
    header,
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
