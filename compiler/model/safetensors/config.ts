/** config.json -> the keys that a GGUF file of the same model has. */
import { UnsupportedError } from '../../errors.js';
import { quote } from '../quote.js';
import type { Stated } from '../stated.js';
import { ConfigReader } from './config_reader.js';
import type { JsonObject } from './json.js';
import { missingOf } from './missing.js';
import { MODEL_TYPE_NAMES, modelType } from './models/index.js';
import type { ModelType } from './models/model_type.js';
import { everyLayer, localLayers } from './models/windows.js';
import { readLocalBase, readRope } from './rope.js';
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
  const config = new ConfigReader(path, { ...type.defaults, ...part.values }, part.inside);
  checkPurpose(config);
  checkQuantization(config, type);
  checkCommon(config, type);
  const layers = needed(config, 'num_hidden_layers');
  const hidden = needed(config, 'hidden_size');
  const heads = needed(config, 'num_attention_heads');
  const headSize = readHeadSize(config, hidden, heads);
  const contextLength = needed(config, 'max_position_embeddings');
  const context = { layers, headSize };
  const own = type.own?.(config, context) ?? {};
  const local = type.localRope ? readLocalBase(config) : undefined;
  const { partialRope: partial = false, alphaRope: alpha = false } = type;
  const shape = { headSize, contextLength, partial, alpha, named: own.rope ?? {} };
  const rope = readRope(config, shape, type.localRope ? 'full_attention' : undefined);
  const keys: Record<string, Value | undefined> = {
    block_count: layers,
    context_length: contextLength,
    embedding_length: hidden,
    feed_forward_length: needed(config, 'intermediate_size'),
    'attention.head_count': heads,
    'attention.head_count_kv': config.uint('num_key_value_heads') ?? heads,
    'attention.key_length': headSize,
    'attention.value_length': headSize,
    'attention.layer_norm_rms_epsilon': config.number('rms_norm_eps'),
    vocab_size: needed(config, 'vocab_size'),
    ...rope.keys,
    ...(type.localRope && { 'rope.freq_base_swa': local }),
    ...own.keys,
  };
  const window = (type.windowed && config.uint('sliding_window')) || undefined;
  const isLocal = own.isLocal ?? localLayers(config, context, () => true);
  const tied = config.bool('tie_word_embeddings') ?? true;
  config.finish(type.architecture);
  return {
    architecture: type.architecture,
    tied,
    normPlusOne: type.normPlusOne ?? false,
    heads,
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
      ...(own.turns && { turns: everyLayer(layers, own.turns) }),
      ...(rope.factors && { ropeFactors: rope.factors }),
      ...(rope.yarnUnrounded && { yarnUnrounded: true }),
    },
  };
}

const without =
  (nameOf: TextPart['nameOf'], isUnused: (tensor: string) => boolean): TextPart['nameOf'] =>
  (tensor) => {
    const name = nameOf(tensor);
    return name !== undefined && isUnused(name) ? undefined : name;
  };

/** As transformers: what heads share of the embedding, where the file does not say. */
function readHeadSize(config: ConfigReader, hidden: number, heads: number): number {
  const stated = config.uint('head_dim');
  if (stated === undefined && hidden % heads !== 0)
    config.fail('num_attention_heads', `expected a divisor of the hidden_size ${hidden}, found ${heads}`);
  return stated ?? hidden / heads;
}

/** The tensors decide whether there are so many; only here nothing has looked at them yet. */
const MAX_LAYERS = 1 << 16;

function needed(config: ConfigReader, key: string): number {
  const value = config.require(key, config.uint(key));
  if (value < 1 || (key === 'num_hidden_layers' && value > MAX_LAYERS))
    config.fail(
      key,
      `expected 1 to ${key === 'num_hidden_layers' ? MAX_LAYERS : Number.MAX_SAFE_INTEGER}, found ${value}`,
    );
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

/** Weights for other uses than to predict the next token, or in other encodings. */
function checkPurpose(config: ConfigReader): void {
  const uses = config.strings('architectures') ?? [];
  const other = uses.find((name) => !/For(CausalLM|ConditionalGeneration)$/.test(name));
  if (other !== undefined)
    config.refuse('architectures', `the model ${quote(other)}`, 'must name a model for causal language modelling');
  if (config.bool('is_encoder_decoder'))
    config.refuse('is_encoder_decoder', 'an encoder beside the decoder', 'must be false');
  config.only('add_cross_attention', [false], 'attention to another model');
  config.only('cross_attention_hidden_size', [], 'attention to another model');
  config.only('tie_encoder_decoder', [false], 'an encoder beside the decoder');
  config.only('use_bfloat16', [false], 'a setting of TensorFlow');
  config.only('tf_legacy_loss', [false], 'a setting of TensorFlow');
  config.only('pruned_heads', [{}], 'heads that are cut out');
}

function checkQuantization(config: ConfigReader, { mxfp4 }: ModelType): void {
  if (mxfp4 && config.object('quantization_config')?.string('quant_method') === 'mxfp4') return;
  const key = ['quantization_config', 'compression_config'].find((one) => config.has(one));
  if (key !== undefined)
    config.refuse(
      key,
      'a model that is quantized already',
      'must be absent: give the model in F32, F16 or BF16 (and --quantize), or its GGUF file',
    );
}

const isExact = (config: ConfigReader, { exactGelu = false }: ModelType): boolean =>
  exactGelu && config.get('hidden_act') === 'gelu';

function checkCommon(config: ConfigReader, { activation, architecture, exactGelu }: ModelType): void {
  // Gemma's authors named the exact GELU in their first files and computed this one.
  const gelu = architecture === 'gemma' || exactGelu ? ['gelu'] : [];
  const alias = { silu: ['swish'], gelu_pytorch_tanh: ['gelu_new', ...gelu], relu2: [] }[activation];
  const isRenamed = architecture.startsWith('gemma') && config.has('hidden_activation');
  const [key, unused] = isRenamed ? ['hidden_activation', 'hidden_act'] : ['hidden_act', ''];
  config.get(unused!);
  config.only(key!, [activation, ...alias], `an activation other than ${activation}`);
}
