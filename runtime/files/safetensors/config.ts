/** config.json -> the keys that a GGUF file of the same model has. */
import { UnsupportedError } from '../../common/errors.js';
import { quote } from '../../common/quote.js';
import type { JsonObject } from '../json.js';
import { maxSize } from '../limits.js';
import type { Stated } from '../stated.js';
import { ConfigReader } from './config_reader.js';
import { finishConfig } from './finish.js';
import { missingOf } from './missing.js';
import { MODEL_TYPE_NAMES, modelType } from './models/index.js';
import type { ModelType } from './models/model_type.js';
import { checkWindows, everyLayer, layersAlike } from './models/windows.js';
import { readLocalBase, readRope } from './rope.js';
import { type Facts, isOneOf } from './rules.js';
import { TEXT_TYPE_NAMES, type TextPart, textPart } from './text_part.js';

type Value = number | string | boolean | readonly boolean[];

export interface ModelConfig {
  readonly architecture: string;
  readonly tied: boolean;
  readonly normPlusOne: boolean;
  readonly heads: number;
  /** GGUF's keys without the architecture's prefix, and config.json's that they come from. */
  readonly keys: readonly { readonly key: string; readonly value: Value; readonly origin: string }[];
  readonly stated: Stated;
  readonly nameOf: TextPart['nameOf'];
}

/** Where GGUF's keys come from; all others have the same name in both, or are named by their own. */
const ORIGINS: Readonly<Record<string, string>> = {
  block_count: 'num_hidden_layers',
  context_length: 'max_position_embeddings',
  embedding_length: 'hidden_size',
  feed_forward_length: 'intermediate_size',
  'attention.head_count': 'num_attention_heads',
  'attention.head_count_kv': 'num_key_value_heads',
  'attention.key_length': 'head_dim',
  'attention.value_length': 'head_dim',
  'attention.layer_norm_rms_epsilon': 'rms_norm_eps',
  'rope.freq_base': 'rope_theta',
  'rope.dimension_count': 'partial_rotary_factor',
  'rope.scaling.factor': 'factor',
};

/** Errors: UnsupportedError for another model type or an unknown setting, ModelFileError for values of a wrong type. */
export function readConfig(path: string, values: JsonObject): ModelConfig {
  const part = textPart(path, values);
  const type = findType(path, part.values);
  const config = new ConfigReader(path, withAliases(path, type, part.values), part.inside, type.defaults);
  for (const one of [config, ...part.outer]) {
    checkPurpose(one);
    checkQuantization(one, type);
  }
  checkActivation(config, type);
  const sizes = readSizes(config);
  const { layers, headSize, context: contextLength } = sizes;
  const context = { layers, headSize, heads: sizes.heads };
  const own = type.own?.(config, context) ?? {};
  const local = type.localRope ? readLocalBase(config) : undefined;
  const { partialRope: partial = false, alphaRope: alpha = false } = type;
  const shape = { headSize, contextLength, partial, alpha, named: own.rope ?? {} };
  const rope = readRope(config, shape, type.localRope ? 'full_attention' : undefined);
  const epsilon = config.number(EPSILONS[type.epsilon ?? 'rms'].config);
  const keys: Record<string, Value | undefined> = {
    block_count: layers,
    context_length: contextLength,
    embedding_length: sizes.hidden,
    feed_forward_length: sizes.feedForward,
    'attention.head_count': sizes.heads,
    'attention.head_count_kv': sizes.headsKv,
    'attention.key_length': headSize,
    'attention.value_length': headSize,
    [EPSILONS[type.epsilon ?? 'rms'].gguf]: epsilon,
    vocab_size: sizes.vocabulary,
    ...rope.keys,
    ...(type.localRope && { 'rope.freq_base_swa': local }),
    ...own.keys,
  };
  const window = (type.windowed && config.uint('sliding_window')) || undefined;
  const isLocal = own.isLocal ?? layersAlike(config, context, window);
  checkWindows(config, context, { isWindowed: type.windowed ?? false, isLocal, window });
  const tied = config.bool('tie_word_embeddings') ?? false;
  const ropeBase = Number(rope.keys['rope.freq_base']);
  const ropeDimensions = Number(rope.keys['rope.dimension_count']);
  for (const one of [config, ...part.outer])
    finishConfig(one, type, { ...sizes, epsilon, ropeBase, ropeDimensions, window });
  return {
    architecture: type.architecture,
    tied,
    normPlusOne: type.normPlusOne ?? false,
    heads: sizes.heads,
    nameOf: own.isUnused ? without(part.nameOf, own.isUnused) : part.nameOf,
    keys: Object.entries(keys).flatMap(([key, value]) =>
      value === undefined ? [] : [{ key, value, origin: Object.hasOwn(ORIGINS, key) ? ORIGINS[key]! : key }],
    ),
    stated: {
      windows: everyLayer(layers, (layer) => (isLocal(layer) ? window : undefined)),
      ...(own.attentionScale !== undefined && { attentionScale: own.attentionScale }),
      ...(own.weightsOver && { weightsOver: own.weightsOver }),
      ...(type.adjacentPairs && { ropePairing: 'adjacent' }),
      ...(isExact(config, type) && { activation: 'gelu_erf' }),
      ...(own.hasRope && { hasRope: everyLayer(layers, own.hasRope) }),
      ...(rope.factors && { ropeFactors: rope.factors }),
      ...(rope.yarnUnrounded && { yarnUnrounded: true }),
    },
  };
}

/** Where config.json has the epsilon of the norms, and GGUF. */
const EPSILONS = {
  rms: { config: 'rms_norm_eps', gguf: 'attention.layer_norm_rms_epsilon' },
  layer: { config: 'layer_norm_eps', gguf: 'attention.layer_norm_epsilon' },
  starcoder2: { config: 'norm_epsilon', gguf: 'attention.layer_norm_epsilon' },
  nemotron: { config: 'norm_eps', gguf: 'attention.layer_norm_epsilon' },
} as const;

/** Other names that transformers takes for a key. Errors: UnsupportedError where both are there and differ. */
function withAliases(path: string, { aliases = {} }: ModelType, values: JsonObject): JsonObject {
  const config = new ConfigReader(path, values);
  const found = Object.entries(aliases).filter(([alias]) => config.has(alias));
  for (const [alias, key] of found) if (config.has(key)) config.only(alias, [config.get(key)!], `two values of ${key}`);
  const renamed = Object.fromEntries(found.map(([alias, key]) => [key, config.get(alias)!]));
  return { ...Object.fromEntries(Object.entries(values).filter(([key]) => !Object.hasOwn(aliases, key))), ...renamed };
}

const without =
  (nameOf: TextPart['nameOf'], isUnused: (tensor: string) => boolean): TextPart['nameOf'] =>
  (tensor) => {
    const name = nameOf(tensor);
    return name !== undefined && isUnused(name) ? undefined : name;
  };

type Sizes = Pick<
  Facts,
  'layers' | 'heads' | 'headsKv' | 'headSize' | 'hidden' | 'feedForward' | 'vocabulary' | 'context'
>;

function readSizes(config: ConfigReader): Sizes {
  const hidden = size(config, 'embedding_length');
  const heads = size(config, 'attention.head_count');
  return {
    layers: size(config, 'block_count'),
    hidden,
    heads,
    headSize: readHeadSize(config, hidden, heads),
    headsKv: config.has('num_key_value_heads') ? size(config, 'attention.head_count_kv') : heads,
    feedForward: size(config, 'feed_forward_length'),
    vocabulary: size(config, 'vocab_size'),
    context: size(config, 'context_length'),
  };
}

/** As transformers: what heads share of the embedding, where the file does not say. */
function readHeadSize(config: ConfigReader, hidden: number, heads: number): number {
  if (config.has('head_dim')) return size(config, 'attention.key_length');
  if (hidden % heads !== 0)
    config.fail('num_attention_heads', `expected a divisor of the hidden_size ${hidden}, found ${heads}`);
  return hidden / heads;
}

/** By GGUF's key. The tensors decide what it is; only here nothing has looked at them yet. */
function size(config: ConfigReader, gguf: string): number {
  const key = Object.hasOwn(ORIGINS, gguf) ? ORIGINS[gguf]! : gguf;
  const value = config.require(key, config.uint(key));
  const most = maxSize(gguf);
  if (value < 1 || value > most) config.fail(key, `expected 1 to ${most}, found ${value}`);
  return value;
}

function findType(path: string, values: JsonObject): ModelType {
  const name = new ConfigReader(path, values).string('model_type');
  const type = name === undefined ? undefined : modelType(name);
  if (type) return type;
  const missing = missingOf(values);
  const why = missing.length > 0 ? `it needs ${missing.join(', ')}, which this compiler does not build; ` : '';
  throw new UnsupportedError(
    path,
    name === undefined ? 'a config.json without a model_type' : `model type ${quote(name)}`,
    `${why}supported are ${[...MODEL_TYPE_NAMES, ...TEXT_TYPE_NAMES].join(', ')}`,
  );
}

/** Weights for other uses than to predict the next token. */
function checkPurpose(config: ConfigReader): void {
  const uses = config.strings('architectures') ?? [];
  const other = uses.find((name) => !/For(CausalLM|ConditionalGeneration)$/.test(name));
  if (other !== undefined)
    config.refuse('architectures', `the model ${quote(other)}`, 'must name a model for causal language modelling');
}

/** Of transformers, of the library compressed-tensors, and of MLX. */
const QUANTIZATIONS = ['quantization_config', 'compression_config', 'quantization'];

function checkQuantization(config: ConfigReader, { mxfp4 }: ModelType): void {
  if (mxfp4 && config.object('quantization_config')?.string('quant_method') === 'mxfp4') return;
  const key = QUANTIZATIONS.find((one) => config.has(one));
  if (key !== undefined)
    config.refuse(
      key,
      'a model that is quantized already',
      'must be absent: give the model in F32, F16 or BF16 (and --quantize), or its GGUF file',
    );
}

/** GELU in its tanh form has many names. */
const TANH_GELU = ['gelu_pytorch_tanh', 'gelu_new', 'gelu_fast', 'gelu_accurate', 'gelu_python_tanh'];
const EXACT_GELU = ['gelu', 'gelu_python'];
const NAMES = { silu: ['silu', 'swish'], gelu_pytorch_tanh: TANH_GELU, relu2: ['relu2'] };

const isExact = (config: ConfigReader, { exactGelu = false }: ModelType): boolean =>
  exactGelu && isOneOf(config.get('hidden_act') ?? null, EXACT_GELU);

function checkActivation(config: ConfigReader, { activation, architecture, exactGelu }: ModelType): void {
  // Gemma's authors named the exact GELU in their first files and computed this one.
  const names = [...NAMES[activation], ...(architecture === 'gemma' || exactGelu ? EXACT_GELU : [])];
  const isRenamed = architecture.startsWith('gemma') && config.has('hidden_activation');
  if (isRenamed) config.get('hidden_act');
  for (const key of [isRenamed ? 'hidden_activation' : 'hidden_act', 'activation_function'])
    config.only(key, names, `an activation other than ${activation}`);
}
