/** Rotary embedding in config.json -> GGUF's keys, and factors that a GGUF file holds as tensors. */
import { several } from '../../common/quote.js';
import type { StatedFactors } from '../stated.js';
import { yarnMagnitude } from '../yarn.js';
import type { ConfigReader } from './config_reader.js';
import type { Own } from './models/model_type.js';

export interface RopeConfig {
  /** Without the architecture's prefix. */
  readonly keys: Readonly<Record<string, number | string>>;
  readonly factors?: StatedFactors;
  readonly yarnUnrounded?: true;
}

interface RopeInput {
  readonly headSize: number;
  readonly contextLength: number;
  /** A part of each head may be rotated. */
  readonly partial: boolean;
  /** Own.rope */
  readonly named: NonNullable<Own['rope']>;
  /** ModelType.alphaRope */
  readonly alpha: boolean;
}

const DEFAULT_BASE = 10000;

function readPartial(config: ConfigReader, { partial }: RopeInput): number | undefined {
  if (!partial) config.only('partial_rotary_factor', [1], 'rope of a part of each head');
  return config.number('partial_rotary_factor');
}

/** transformers 5 has rope_parameters, 4 has rope_theta and rope_scaling; `of`: which kind of layers, where they differ. */
export function readRope(config: ConfigReader, input: RopeInput, of?: 'full_attention'): RopeConfig {
  const parameters = config.object('rope_parameters');
  const old = config.object('rope_scaling');
  const nested = of && parameters?.object(of);
  if (of) parameters?.get('sliding_attention'); // readLocalBase()'s
  // transformers reads it beside the kinds of layers, and not in them.
  nested?.only('truncate', [true], 'YaRN with unrounded ends in one kind of layers');
  if (parameters && old) config.only('rope_scaling', [config.get('rope_parameters')!, {}], 'two rope scalings');
  const scaling = nested ?? parameters ?? old;
  const outer = { base: config.number('rope_theta'), partial: readPartial(config, input) };
  const base = scaling?.number('rope_theta') ?? outer.base ?? input.named.base ?? DEFAULT_BASE;
  const partial = (scaling && readPartial(scaling, input)) ?? outer.partial ?? input.named.partial ?? 1;
  const dimensions = Math.trunc(input.headSize * partial);
  const shape = { base, dimensions, contextLength: input.contextLength, alpha: input.alpha };
  const { keys, ...stated } = scaling ? readScaling(config, scaling, shape) : { keys: {} };
  for (const reader of [nested, parameters, old]) reader?.finish('rope scaling');
  return {
    keys: { 'rope.freq_base': base, 'rope.dimension_count': dimensions, ...keys },
    ...stated,
  };
}

interface RopeShape {
  readonly base: number;
  readonly dimensions: number;
  readonly contextLength: number;
  readonly alpha: boolean;
}

function readScaling(config: ConfigReader, scaling: ConfigReader, shape: RopeShape): RopeConfig {
  const type = scaling.string('rope_type') ?? scaling.string('type') ?? 'default';
  scaling.get('type');
  const positive = (key: string) => {
    const value = scaling.number(key);
    if (value !== undefined && !(value > 0)) scaling.fail(key, `expected a number above 0, found ${value}`);
    return value;
  };
  const needed = (key: string) => scaling.require(key, positive(key));
  const original = () => {
    const key = 'original_max_position_embeddings';
    const [own, outer] = [positive(key), config.number(key)];
    if (own !== undefined) config.only(key, [own], 'two original contexts');
    return own ?? outer ?? shape.contextLength;
  };
  switch (type) {
    case 'default':
      return { keys: {} };
    case 'linear':
      return { keys: { 'rope.scaling.type': 'linear', 'rope.scaling.factor': needed('factor') } };
    case 'llama3':
      return { keys: {}, factors: { short: llama3Factors(scaling, shape, original(), needed) } };
    case 'yarn':
      // Phi 3's first files called it so.
      if (scaling.has('long_factor')) return longRope(scaling, positive, original(), shape);
      return yarn(scaling, positive, original(), shape);
    case 'dynamic':
      if (!shape.alpha || !scaling.has('alpha')) return unknownType(scaling);
      return { keys: { 'rope.freq_base': alphaBase(scaling, needed('alpha'), shape) } };
    case 'longrope':
    case 'su':
      return longRope(scaling, positive, original(), shape);
    default:
      return unknownType(scaling);
  }
}

function unknownType(scaling: ConfigReader): never {
  return scaling.refuse(
    scaling.has('rope_type') ? 'rope_type' : 'type',
    'rope scaling of this type',
    'must be default, linear, llama3, yarn or longrope',
  );
}

/** Hunyuan's: up to max_position_embeddings nothing is dynamic, and only alpha counts. */
function alphaBase(scaling: ConfigReader, alpha: number, { base, dimensions }: RopeShape): number {
  for (const key of ['factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim']) scaling.get(key);
  return base * alpha ** (dimensions / (dimensions - 2));
}

/** Llama 3.1: pairs with long waves rotate slower by `factor`, those with short ones as before, a blend between. */
function llama3Factors(
  scaling: ConfigReader,
  { base, dimensions }: RopeShape,
  original: number,
  needed: (key: string) => number,
): number[] {
  const [factor, low, high] = [needed('factor'), needed('low_freq_factor'), needed('high_freq_factor')];
  if (high <= low) scaling.fail('high_freq_factor', `expected more than the low_freq_factor ${low}, found ${high}`);
  return Array.from({ length: dimensions / 2 }, (_, pair) => {
    const wave = 2 * Math.PI * base ** ((2 * pair) / dimensions);
    if (wave < original / high) return 1;
    if (wave > original / low) return factor;
    const smooth = (original / wave - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

function yarn(
  scaling: ConfigReader,
  positive: (key: string) => number | undefined,
  original: number,
  { contextLength }: RopeShape,
): RopeConfig {
  const factor = positive('factor') ?? contextLength / original;
  const [mscale, all] = [scaling.number('mscale'), scaling.number('mscale_all_dim')];
  const magnitude = (by: number) => (factor <= 1 ? 1 : 1 + by * (yarnMagnitude(factor) - 1));
  const stated = positive('attention_factor');
  // As in the authors' own code; transformers does not read it.
  const attentionBy = positive('attn_factor') ?? 1;
  const attention = (stated ?? (mscale && all ? magnitude(mscale) / magnitude(all) : magnitude(1))) * attentionBy;
  scaling.only('extrapolation_factor', [1], 'YaRN in part');
  scaling.get('finetuned');
  return {
    keys: {
      'rope.scaling.type': 'yarn',
      'rope.scaling.factor': factor,
      'rope.scaling.original_context_length': original,
      'rope.scaling.yarn_beta_fast': positive('beta_fast') ?? 32,
      'rope.scaling.yarn_beta_slow': positive('beta_slow') ?? 1,
      // hyperparameters.ts multiplies with YaRN's own.
      'rope.scaling.attn_factor': attention / yarnMagnitude(factor),
    },
    ...(scaling.bool('truncate') === false && { yarnUnrounded: true }),
  };
}

function longRope(
  scaling: ConfigReader,
  positive: (key: string) => number | undefined,
  original: number,
  { dimensions, contextLength }: RopeShape,
): RopeConfig {
  const list = (key: string) => {
    const factors = scaling.require(key, scaling.numbers(key));
    if (factors.length !== dimensions / 2 || !factors.every((factor) => factor > 0))
      scaling.fail(key, `expected ${dimensions / 2} numbers above 0, found ${several(factors.map(String))}`);
    return factors;
  };
  const factor = positive('factor') ?? contextLength / original;
  const computed = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  return {
    keys: { 'rope.scaling.type': 'none', 'rope.scaling.attn_factor': positive('attention_factor') ?? computed },
    factors: { short: list('short_factor'), long: { factors: list('long_factor'), beyond: original } },
  };
}

/** The base of the layers with a window, where it differs from the rest's: without scaling. */
export function readLocalBase(config: ConfigReader): number | undefined {
  const parameters = config.object('rope_parameters');
  if (parameters === undefined) return config.number('rope_local_base_freq');
  const local = parameters.object('sliding_attention');
  if (local === undefined) return undefined;
  local.only('rope_type', ['default'], 'rope scaling of the layers with a window');
  const base = local.number('rope_theta');
  local.finish('rope scaling');
  return base;
}
