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

export const everyLayer = (layers: number, of: (layer: number) => boolean) =>
  Array.from({ length: layers }, (_, i) => of(i));

/** GGUF's keys of them. */
export const windowKeys = (config: ConfigReader, { layers }: Context, isLocal: (layer: number) => boolean) => ({
  'attention.sliding_window': config.uint('sliding_window'),
  'attention.sliding_window_pattern': everyLayer(layers, isLocal),
});
