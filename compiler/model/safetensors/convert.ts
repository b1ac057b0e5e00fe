/**
 * A safetensors folder as the GGUF file that llama.cpp's converter would make of it: the same keys and tensor names, at
 * their places in the folder's own files. Everything after this reads both alike.
 */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { ModelFileError, UnsupportedError } from '../../errors.js';
import { GGML_TYPES, type GgmlType } from '../ggml.js';
import type { GgufFile } from '../gguf.js';
import { Metadata, type MetadataEntry } from '../metadata.js';
import { quote, several } from '../quote.js';
import type { TensorInfo } from '../tensor_table.js';
import { readConfig } from './config.js';
import { CONFIG, type SafetensorsFolder } from './folder.js';
import type { SafetensorsTensor } from './header.js';
import { ggufName, isDerived } from './names.js';

export type Quantization = 'q8_0' | 'q4_0';

const QUANTIZED = { q8_0: 'Q8_0', q4_0: 'Q4_0' } as const;
const DTYPES: Readonly<Record<string, GgmlType>> = { F32: 'F32', F16: 'F16', BF16: 'BF16' };

/** Errors: UnsupportedError names the model type, setting, tensor or dtype that is not supported. */
export function convertFolder(folder: SafetensorsFolder, quantize?: Quantization): GgufFile {
  const config = readConfig(join(folder.path, CONFIG), folder.config);
  // The parts: config.json, whose bytes are all header, then the files.
  const files = [
    { name: CONFIG, bytes: folder.configBytes.length, header: folder.configBytes },
    ...folder.files.map(({ path, bytes, header }) => ({ name: basename(path), bytes, header })),
  ];
  const hash = createHash('sha256');
  for (const { header } of files) hash.update(header);
  return {
    path: folder.path,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    parts: files.map(({ name, bytes, header }) => ({ name, bytes, headerBytes: header.length })),
    headerBytes: folder.configBytes.length,
    headerSha256: hash.digest('hex'),
    version: 0,
    alignment: 1,
    metadata: metadataOf(folder, config.architecture, config.keys),
    tensors: new TensorConverter(folder, config, quantize).convert(),
    stated: config.stated,
  };
}

type Keys = ReturnType<typeof readConfig>['keys'];

function metadataOf(folder: SafetensorsFolder, architecture: string, keys: Keys): Metadata {
  const entries = new Map<string, MetadataEntry>([
    ['general.architecture', { type: 'string', value: architecture }],
    ['general.name', { type: 'string', value: basename(folder.path) }],
  ]);
  for (const one of keys) entries.set(`${architecture}.${one.key}`, entryOf(one));
  const origins = new Map(keys.map(({ key, origin }) => [`${architecture}.${key}`, origin]));
  return new Metadata(join(folder.path, CONFIG), entries, (key) => `key ${quote(origins.get(key) ?? key)}`);
}

function entryOf({ key, value }: Keys[number]): MetadataEntry {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (typeof value === 'object') return { type: 'array', of: 'bool', length: value.length, elements: () => value };
  return { type: INTEGERS.has(key) ? 'uint64' : 'float64', value };
}

const INTEGERS: ReadonlySet<string> = new Set([
  ...['block_count', 'context_length', 'embedding_length', 'feed_forward_length', 'vocab_size', 'rope.dimension_count'],
  ...['attention.head_count', 'attention.head_count_kv', 'attention.key_length', 'attention.value_length'],
  ...['attention.sliding_window', 'rope.scaling.original_context_length'],
]);

class TensorConverter {
  readonly #unknown: string[] = [];
  readonly #mistyped: string[] = [];

  constructor(
    private readonly folder: SafetensorsFolder,
    private readonly config: ReturnType<typeof readConfig>,
    private readonly quantize: Quantization | undefined,
  ) {}

  /** Errors: UnsupportedError for tensors of other types; ModelFileError for tensors that no such model has. */
  convert(): TensorInfo[] {
    const { path, files, configBytes } = this.folder;
    const names = new Map<string, string>();
    let start = configBytes.length;
    const tensors = files.flatMap((file) => {
      const base = start;
      start += file.bytes;
      return file.tensors.flatMap((tensor) => this.#convert(tensor, base, names));
    });
    const { architecture, tied } = this.config;
    if (this.#unknown.length > 0)
      throw new ModelFileError(
        path,
        'tensors',
        `a model of the architecture ${architecture} has no place for ${several(this.#unknown)}, which the files have`,
      );
    if (this.#mistyped.length > 0)
      throw new UnsupportedError(path, several(this.#mistyped), `weights must be ${Object.keys(DTYPES).join(', ')}`);
    if (!tied && !names.has('output.weight'))
      throw new ModelFileError(path, 'tensors', 'expected lm_head.weight, as tie_word_embeddings is false, found none');
    return tensors;
  }

  #convert(
    { name, dtype, shape, offset, bytes }: SafetensorsTensor,
    base: number,
    names: Map<string, string>,
  ): TensorInfo[] {
    if (isDerived(name)) return [];
    const { architecture, tied, normPlusOne } = this.config;
    const gguf = ggufName(architecture, name);
    if (gguf === undefined || names.has(gguf)) {
      this.#unknown.push(quote(name));
      return [];
    }
    names.set(gguf, name);
    // Saved beside the embedding that it is.
    if (gguf === 'output.weight' && tied) return [];
    const type = Object.hasOwn(DTYPES, dtype) ? DTYPES[dtype]! : undefined;
    if (type === undefined) {
      this.#mistyped.push(`${name} of type ${dtype}`);
      return [];
    }
    const dims = [...shape].reverse();
    return [
      {
        ...{ name: gguf, type, dims, offset: base + offset, bytes },
        ...(normPlusOne && gguf.endsWith('norm.weight') && { plusOne: true as const }),
        ...this.#quantized(type, dims),
      },
    ];
  }

  /** Rows that are no whole blocks stay as they are. */
  #quantized(storedAs: GgmlType, dims: readonly number[]): { type: GgmlType; storedAs: GgmlType } | undefined {
    if (this.quantize === undefined || dims.length < 2) return undefined;
    const type = QUANTIZED[this.quantize];
    return dims[0]! % GGML_TYPES[type].blockSize === 0 ? { type, storedAs } : undefined;
  }
}
