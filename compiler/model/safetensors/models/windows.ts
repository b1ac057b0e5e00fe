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
  const isLocal = localLayers(config, context, (layer) => isUsed && otherwise(layer));
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
