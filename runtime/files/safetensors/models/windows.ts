/** Which layers have a window, as config.json says it. */
import type { ConfigReader } from '../config_reader.js';
import type { Context, Own } from './model_type.js';

/** Names of layers in layer_types, or what `otherwise` says where there is no such list. */
export function localLayers(config: ConfigReader, { layers }: Context, otherwise: (layer: number) => boolean) {
  const types = config.strings('layer_types');
  if (types === undefined) return otherwise;
  const other = types.find((type) => type !== 'full_attention' && type !== 'sliding_attention');
  if (types.length !== layers)
    config.fail('layer_types', `expected one of each of ${layers} layers, found ${types.length}`);
  if (other !== undefined) config.refuse('layer_types', `a layer of the type ${JSON.stringify(other)}`, 'is not known');
  return (layer: number) => types[layer] === 'sliding_attention';
}

/** Those of layer_types, where use_sliding_window says that there are any. */
export function windowsInUse(config: ConfigReader, context: Context, otherwise: (layer: number) => boolean): Own {
  const isUsed = config.bool('use_sliding_window') ?? false;
  const isAny = isUsed && config.has('sliding_window');
  const isLocal = localLayers(config, context, (layer) => isAny && otherwise(layer));
  // transformers' masks follow the one or the other, by the class and how attention is computed.
  if (!isUsed && everyLayer(context.layers, isLocal).includes(true))
    config.refuse(
      'use_sliding_window',
      'layers with a window that is not to be used',
      'must be true, or layer_types full_attention',
    );
  return { isLocal };
}

export const everyLayer = <T>(layers: number, of: (layer: number) => T): T[] =>
  Array.from({ length: layers }, (_, i) => of(i));

/** Of models whose layers are alike: all have the window, or none where there is none; layer_types may say the same. */
export function layersAlike(config: ConfigReader, context: Context, window: number | undefined) {
  const isLocal = localLayers(config, context, () => window !== undefined);
  if (everyLayer(context.layers, isLocal).some((local) => local !== (window !== undefined)))
    config.refuse(
      'layer_types',
      window === undefined ? 'layers with a window' : 'layers with a window beside others',
      `must be ${window === undefined ? 'full_attention' : 'sliding_attention'} in every layer`,
    );
  return isLocal;
}

interface Windows {
  readonly isWindowed: boolean;
  readonly isLocal: (layer: number) => boolean;
  readonly window: number | undefined;
}

/** Errors: UnsupportedError where layers have a window of no size, or keys that nobody asked for say that it is not used. */
export function checkWindows(
  config: ConfigReader,
  { layers }: Context,
  { isWindowed, isLocal, window }: Windows,
): void {
  const isAny = everyLayer(layers, isLocal).includes(true);
  if (isAny && window === undefined)
    config.refuse('sliding_window', 'layers with a window of no size', 'must be a number above 0');
  const unasked = new Set(config.unasked().map(([key]) => key));
  if (!isWindowed || !isAny) return;
  if (unasked.has('use_sliding_window'))
    config.only('use_sliding_window', [true], 'layers with a window that is not to be used');
  if (unasked.has('max_window_layers')) config.only('max_window_layers', [0], 'windows of some layers');
}

/** All but every n-th, sliding_window_pattern, where layer_types does not say. */
export function patternedLayers(config: ConfigReader, context: Context): (layer: number) => boolean {
  const key = 'sliding_window_pattern';
  config.get(key);
  if (config.has('layer_types')) return localLayers(config, context, () => false);
  const period = config.require(key, config.uint(key));
  if (period === 0) config.fail(key, 'expected a number above 0, found 0');
  return (layer) => (layer + 1) % period !== 0;
}

/** Errors: ModelFileError for 0; UnsupportedError where layers have a window and it has no size. */
export function windowOf(config: ConfigReader, { layers }: Context, isLocal: (layer: number) => boolean) {
  const window = config.uint('sliding_window');
  if (window === 0) config.fail('sliding_window', 'expected a number above 0, found 0');
  if (window === undefined && everyLayer(layers, isLocal).includes(true))
    config.refuse('sliding_window', 'layers with a window of no size', 'must be a number above 0');
  return window;
}

/** GGUF's keys of them. */
export const windowKeys = (config: ConfigReader, { layers }: Context, isLocal: (layer: number) => boolean) => ({
  'attention.sliding_window': config.uint('sliding_window'),
  'attention.sliding_window_pattern': everyLayer(layers, isLocal),
});
