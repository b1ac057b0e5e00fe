/** Reads an architecture's hyperparameters from the metadata, with llama.cpp's defaults, and checks each. */
import { UnsupportedError } from '../../runtime/common/errors.js';
import type { GgufFile } from '../../runtime/files/gguf.js';
import { maxSize } from '../../runtime/files/limits.js';
import { describe, type Metadata } from '../../runtime/files/metadata.js';
import { yarnMagnitude } from '../../runtime/files/yarn.js';
import { isNeutral } from './rope.js';
import type { ModelSpec, RopeScaling, Yarn } from './spec.js';

/** What an architecture says of the keys that every model has. */
export interface HyperparameterRules {
  /** general.architecture, and the prefix of the metadata keys. */
  readonly name: string;
  /** Default rms. */
  readonly norm?: ModelSpec['norm'];
  /** The last layers, as many as `nextn_predict_layers` says, guess tokens further ahead. They are not run. */
  readonly nextn?: true;
}

export interface Hyperparameters {
  /** Layers that are run. */
  readonly blockCount: number;
  /** Layers after them that are not: `nextn_predict_layers`. */
  readonly nextnLayers: number;
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly normEpsilon: number;
  readonly ropeDimensions: number;
  readonly ropeBase: number;
  readonly ropeScaling?: RopeScaling;
  /** The file says that there are rope factors for long and for short contexts. */
  readonly longRope: boolean;
  /** Rope factors for long contexts are for those of more positions. */
  readonly originalContext: number;
}

const MIN_HEAD_SIZE = 32;
const MAX_HEAD_SIZE = 256;
const DEFAULT_ROPE_BASE = 10000;

/**
 * Errors: ModelFileError that names the key for values that are absent, of the wrong type or impossible;
 * UnsupportedError for possible ones that cannot be compiled.
 */
export function readHyperparameters(file: GgufFile, { name, norm, nextn }: HyperparameterRules): Hyperparameters {
  const { metadata } = file;
  const key = (suffix: string): string => `${name}.${suffix}`;
  const size = (suffix: string): number => positive(metadata, key(suffix), metadata.requireUint(key(suffix)));

  const allLayers = readBlockCount(file, key('block_count'));
  const nextnLayers = nextn ? readNextnLayers(metadata, key('nextn_predict_layers'), allLayers) : 0;
  const blockCount = allLayers - nextnLayers;
  const contextLength = size('context_length');
  const embeddingLength = size('embedding_length');
  const feedForwardLength = perLayer(file, key('feed_forward_length'), allLayers);
  const headCount = perLayer(file, key('attention.head_count'), allLayers);
  const headCountKv = perLayer(file, key('attention.head_count_kv'), allLayers, headCount);
  if (headCount % headCountKv !== 0) {
    metadata.fail(
      key('attention.head_count_kv'),
      `expected a divisor of the head count ${headCount}, found ${headCountKv}`,
    );
  }
  const headSize = readHeadSize(file, key, embeddingLength, headCount);
  checkExactSizes(metadata, key, blockCount * headCountKv * headSize, contextLength);
  const ropeScaling = readRopeScaling(file, key, contextLength);
  return {
    blockCount,
    nextnLayers,
    contextLength,
    embeddingLength,
    feedForwardLength,
    headCount,
    headCountKv,
    headSize,
    normEpsilon: readEpsilon(metadata, key(`attention.layer_norm_${norm === 'layer' ? '' : 'rms_'}epsilon`)),
    ropeDimensions: readRopeDimensions(metadata, key('rope.dimension_count'), headSize),
    ropeBase: positiveFloat(metadata, key('rope.freq_base'), DEFAULT_ROPE_BASE),
    ...(ropeScaling && { ropeScaling }),
    longRope: metadata.getString(key('rope.scaling.type')) === 'longrope',
    originalContext: readOriginalContext(metadata, key, contextLength),
  };
}

const readOriginalContext = (metadata: Metadata, key: (suffix: string) => string, contextLength: number): number =>
  metadata.getUint(key('rope.scaling.original_context_length')) || contextLength;

/** As llama.cpp: without a type a factor is linear; yarn's magnitude and attn_factor multiply. */
function readRopeScaling(
  { path, metadata }: GgufFile,
  key: (suffix: string) => string,
  contextLength: number,
): RopeScaling | undefined {
  const float = (suffix: string) => metadata.getFloat(key(`rope.${suffix}`));
  const positiveOr = (suffix: string, absent: number) => positiveFloat(metadata, key(`rope.${suffix}`), absent);
  const type = metadata.getString(key('rope.scaling.type')) ?? 'linear';
  if (!['none', 'linear', 'yarn', 'longrope'].includes(type))
    throw new UnsupportedError(
      path,
      'rope scaling of this type',
      `metadata key "${key('rope.scaling.type')}" must be none, linear, yarn, longrope or absent, found ${JSON.stringify(type)}`,
    );
  const named = float('scaling.factor') === undefined ? 'scale_linear' : 'scaling.factor';
  const factor = type === 'none' || float(named) === 0 ? 1 : positiveOr(named, 1);
  const attention = positiveOr('scaling.attn_factor', 1);
  const yarn = type === 'yarn' ? readYarn(metadata, key, contextLength) : undefined;
  if (yarn && factor < 1)
    throw new UnsupportedError(path, `YaRN by a factor below 1`, `${key('rope.scaling.factor')} is ${factor}`);
  const magnitude = attention * (yarn ? yarnMagnitude(factor) : 1);
  const scaling = { scale: 1 / factor, magnitude, ...(yarn && { yarn }) };
  return isNeutral(scaling) ? undefined : scaling;
}

function readYarn(metadata: Metadata, key: (suffix: string) => string, contextLength: number): Yarn {
  return {
    originalContext: readOriginalContext(metadata, key, contextLength),
    betaFast: positiveFloat(metadata, key('rope.scaling.yarn_beta_fast'), 32),
    betaSlow: positiveFloat(metadata, key('rope.scaling.yarn_beta_slow'), 1),
  };
}

function positive(metadata: Metadata, key: string, value: number): number {
  const most = maxSize(key.slice(key.indexOf('.') + 1));
  if (value >= 1 && value <= most) return value;
  return metadata.fail(key, `expected 1 to ${most}, found ${value}`);
}

function positiveFloat(metadata: Metadata, key: string, absent?: number): number {
  const value = metadata.getFloat(key) ?? absent ?? metadata.requireFloat(key);
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  return metadata.fail(key, `expected a finite number above 0, found ${value}`);
}

/** 0 is taken: only a norm of nothing but zeros would miss it. */
function readEpsilon(metadata: Metadata, key: string): number {
  const value = metadata.requireFloat(key);
  if (value >= 0 && value < Number.POSITIVE_INFINITY) return value;
  return metadata.fail(key, `expected a finite number, 0 or above, found ${value}`);
}

/** No more layers than tensors: nothing later may loop over layers that the file cannot hold. */
function readBlockCount({ metadata, tensors }: GgufFile, key: string): number {
  const blockCount = metadata.requireUint(key);
  if (blockCount <= tensors.length) return positive(metadata, key, blockCount);
  return metadata.fail(key, `expected no more layers than the file's ${tensors.length} tensors, found ${blockCount}`);
}

function readNextnLayers(metadata: Metadata, key: string, allLayers: number): number {
  const layers = metadata.getUint(key) ?? 0;
  if (layers >= allLayers) metadata.fail(key, `expected fewer than the ${allLayers} layers, found ${layers}`);
  return layers;
}

/** A number, or an array of the same number for every layer. */
function perLayer({ path, metadata }: GgufFile, key: string, blockCount: number, absent?: number): number {
  const entry = metadata.get(key);
  if (entry === undefined && absent !== undefined) return absent;
  if (entry?.type !== 'array') return positive(metadata, key, metadata.requireUint(key));

  if (entry.length !== blockCount) {
    metadata.fail(key, `expected one element for each of the ${blockCount} layers, found ${describe(entry)}`);
  }
  const values = metadata.numberArray(key) ?? [];
  const [first = 0] = values;
  if (!Number.isInteger(first)) metadata.fail(key, `expected unsigned integers, found ${describe(entry)}`);
  const other = values.findIndex((value) => value !== first);
  if (other > 0) {
    throw new UnsupportedError(
      path,
      `a different ${key} for each layer`,
      `it is ${first} in layer 0 and ${values[other]} in layer ${other}; all layers must be alike`,
    );
  }
  return positive(metadata, key, first);
}

function readHeadSize(
  { path, metadata }: GgufFile,
  key: (suffix: string) => string,
  embeddingLength: number,
  headCount: number,
): number {
  const keyLength = metadata.getUint(key('attention.key_length'));
  if (keyLength === undefined && embeddingLength % headCount !== 0) {
    metadata.fail(
      key('attention.head_count'),
      `expected a divisor of the embedding length ${embeddingLength}, found ${headCount}`,
    );
  }
  const headSize = keyLength ?? embeddingLength / headCount;
  const valueLength = metadata.getUint(key('attention.value_length')) ?? headSize;
  if (valueLength !== headSize) {
    throw new UnsupportedError(
      path,
      `a head of ${headSize} for keys and ${valueLength} for values`,
      `${key('attention.key_length')} and ${key('attention.value_length')} must be equal`,
    );
  }
  if (headSize % 2 !== 0 || headSize < MIN_HEAD_SIZE || headSize > MAX_HEAD_SIZE) {
    throw new UnsupportedError(
      path,
      `head size ${headSize}`,
      `it must be even, ${MIN_HEAD_SIZE} to ${MAX_HEAD_SIZE} (${key('attention.key_length')}, or embedding by head count)`,
    );
  }
  return headSize;
}

function readRopeDimensions(metadata: Metadata, key: string, headSize: number): number {
  const dimensions = metadata.getUint(key) ?? headSize;
  if (dimensions >= 2 && dimensions <= headSize && dimensions % 2 === 0) return dimensions;
  return metadata.fail(key, `expected an even number, 2 to the head size ${headSize}, found ${dimensions}`);
}

/** The largest product of the model's sizes, the bytes of a KV cache at full context, must stay an exact number. */
function checkExactSizes(
  metadata: Metadata,
  key: (suffix: string) => string,
  kvElements: number,
  contextLength: number,
): void {
  const bytesPerPosition = 2 * 2 * kvElements;
  const most = Math.floor(Number.MAX_SAFE_INTEGER / bytesPerPosition);
  if (contextLength <= most) return;
  metadata.fail(
    key('context_length'),
    `expected at most ${most} positions of ${bytesPerPosition} bytes of KV cache, found ${contextLength}`,
  );
}
