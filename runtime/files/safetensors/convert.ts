/**
 * A safetensors folder as the GGUF file that llama.cpp's converter would make of it: the same keys and tensor names, at
 * their places in the folder's own files. Everything after this reads both alike.
 */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { ModelFileError, UnsupportedError } from '../../common/errors.js';
import { quote, several } from '../../common/quote.js';
import { GGML_TYPES, type GgmlType } from '../ggml.js';
import type { GgufFile } from '../gguf.js';
import { Metadata, type MetadataEntry } from '../metadata.js';
import type { TensorInfo } from '../tensor_table.js';
import { readConfig } from './config.js';
import { CONFIG, type SafetensorsFolder } from './folder.js';
import type { SafetensorsTensor } from './header.js';
import { type GgufName, ggufName, isDerived } from './names.js';
import { joinExponents, stackedTensors } from './stacked.js';

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
  ...['attention.sliding_window', 'rope.scaling.original_context_length', 'expert_count', 'expert_used_count'],
  ...['expert_feed_forward_length', 'expert_shared_feed_forward_length', 'expert_shared_count', 'expert_gating_func'],
  ...['leading_dense_block_count', 'interleave_moe_layer_step'],
]);

/** More than any model has: a list of them stays short. */
const MAX_EXPERTS = 1 << 12;

class TensorConverter {
  readonly #unknown: string[] = [];
  readonly #mistyped: string[] = [];
  /** The tensors of experts that GGUF has as one, by its name. */
  readonly #experts = new Map<string, (TensorInfo | undefined)[]>();
  /** Of MXFP4, by the name of the tensor that has the codes. */
  readonly #exponents = new Map<string, TensorInfo>();

  constructor(
    private readonly folder: SafetensorsFolder,
    private readonly config: ReturnType<typeof readConfig>,
    private readonly quantize: Quantization | undefined,
  ) {}

  /** Errors: UnsupportedError for tensors of other types; ModelFileError for tensors that no such model has. */
  convert(): TensorInfo[] {
    const { path, files, configBytes } = this.folder;
    const tensors = new Map<string, TensorInfo>();
    let start = configBytes.length;
    for (const file of files) {
      for (const tensor of file.tensors) this.#convert({ ...tensor, offset: start + tensor.offset }, tensors);
      start += file.bytes;
    }
    this.#joinExperts(tensors);
    joinExponents(path, tensors, this.#exponents);
    const { architecture, tied } = this.config;
    if (this.#unknown.length > 0)
      throw new ModelFileError(
        path,
        'tensors',
        `a model of the architecture ${architecture} has no place for ${several(this.#unknown)}, which the files have`,
      );
    if (this.#mistyped.length > 0)
      throw new UnsupportedError(path, several(this.#mistyped), `weights must be ${Object.keys(DTYPES).join(', ')}`);
    if (!tied && !tensors.has('output.weight'))
      throw new ModelFileError(path, 'tensors', 'expected lm_head.weight, as tie_word_embeddings is false, found none');
    return [...tensors.values()].map((tensor) => this.#quantized(tensor));
  }

  #convert({ name, dtype, shape, ...place }: SafetensorsTensor, tensors: Map<string, TensorInfo>): void {
    const { architecture, tied, normPlusOne, heads, nameOf } = this.config;
    const alone = nameOf(name);
    if (alone === undefined || isDerived(name)) return;
    const found = ggufName(architecture, alone);
    const type = found && typeOf(dtype, found);
    const into = found?.form === 'exponents' ? this.#exponents : tensors;
    if (found === undefined || into.has(found.name)) this.#unknown.push(quote(name));
    else if (found.name === 'output.weight' && tied)
      return; // saved beside the embedding that it is
    else if (type === undefined) this.#mistyped.push(`${name} of type ${dtype}`);
    else {
      const plus = normPlusOne && found.name.endsWith('norm.weight') && { plusOne: true as const };
      const tensor = { name: found.name, type, dims: [...shape].reverse(), ...place, ...plus };
      if (found.expert !== undefined) this.#keepExpert(tensor, found.expert, name);
      else if (found.form || found.alternates)
        for (const one of stackedTensors(this.folder.path, name, tensor, found)) into.set(one.name, one);
      else for (const one of shares(tensor, found, heads)) tensors.set(one.name, one);
    }
  }

  #keepExpert(tensor: TensorInfo, expert: number, name: string): void {
    const parts = this.#experts.get(tensor.name) ?? [];
    this.#experts.set(tensor.name, parts);
    if (parts[expert] || expert >= MAX_EXPERTS) this.#unknown.push(quote(name));
    else parts[expert] = tensor;
  }

  /** What GGUF has as one tensor. Errors: ModelFileError where an expert is missing or has another shape. */
  #joinExperts(tensors: Map<string, TensorInfo>): void {
    for (const [name, parts] of this.#experts) {
      const [first] = parts;
      const other = Array.from(parts).findIndex(
        (part) => !first || !part || part.type !== first.type || `${part.dims}` !== `${first.dims}`,
      );
      if (other >= 0 || !first)
        throw new ModelFileError(
          this.folder.path,
          'tensors',
          `expected ${name} of every expert alike, found expert ${Math.max(0, other)} without it or of another shape`,
        );
      const pieces = parts.map((part) => ({ offset: part!.offset, bytes: part!.bytes }));
      const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
      if (tensors.has(name)) this.#unknown.push(quote(name));
      tensors.set(name, { ...first, name, dims: [...first.dims, parts.length], bytes, pieces });
    }
  }

  /** Rows that are no whole blocks stay as they are, and so do what chooses experts, biases and MXFP4, as in a GGUF file. */
  #quantized(tensor: TensorInfo): TensorInfo {
    const { name, type: stored, dims } = tensor;
    if (this.quantize === undefined || dims.length < 2 || name.includes('.ffn_gate_inp')) return tensor;
    if (name.endsWith('.bias') || stored === 'MXFP4') return tensor;
    const type = QUANTIZED[this.quantize];
    if (dims[0]! % GGML_TYPES[type].blockSize !== 0) return tensor;
    return { ...tensor, type, storedAs: stored as GgmlType };
  }
}

function typeOf(dtype: string, { form }: GgufName): GgmlType | undefined {
  if (form === 'codes' || form === 'exponents') return dtype === 'U8' ? 'MXFP4' : undefined;
  return Object.hasOwn(DTYPES, dtype) ? DTYPES[dtype]! : undefined;
}

/** Rows (a vector's elements) that belong in equal parts to several tensors: of each expert, of each head, or of all. */
function shares(tensor: TensorInfo, { beside = [], ofHeads }: GgufName, heads: number): TensorInfo[] {
  if (beside.length === 0) return [tensor];
  const { dims, offset } = tensor;
  const names = [tensor.name, ...beside];
  const groups = ofHeads ? heads : (dims[2] ?? 1);
  const bytes = tensor.bytes / groups / names.length;
  const rows = Math.min(1, dims.length - 1);
  return names.map((name, i) => {
    const pieces = Array.from({ length: groups }, (_, group) => {
      return { offset: offset + (names.length * group + i) * bytes, bytes };
    });
    const place = { offset: pieces[0]!.offset, bytes: bytes * groups };
    const share = dims.map((dim, d) => (d === rows ? dim / names.length : dim));
    return { ...tensor, name, dims: share, ...place, ...(groups > 1 && { pieces }) };
  });
}
