/** The kernels that bring tensors to the device, and which of them does so with which tensor. */
import type { GgmlType } from '../../runtime/files/ggml.js';
import type { PlacedTensor } from './weights.js';

export interface PlannedLoader {
  /** C identifier, also the name in the module. */
  readonly symbol: string;
  /** Its template of runtime/kernels/repack.cuh. */
  readonly body: string;
}

/** A tensor with the loader that brings it to the device: an index into loaders; null: its bytes are copied as they are. */
export interface PlannedTensor extends PlacedTensor {
  readonly loader: number | null;
}

/** Loaders each once, in the order of the formats; of one format those for matrices first. */
export function planLoaders(
  placed: readonly PlacedTensor[],
  formats: readonly GgmlType[],
): { readonly loaders: PlannedLoader[]; readonly tensors: PlannedTensor[] } {
  const loaders = new Map<string, PlannedLoader>();
  for (const format of formats)
    for (const layout of ['tiled', 'vector'])
      for (const tensor of placed) {
        const loader = tensor.type === format && tensor.layout === layout ? loaderOf(tensor) : undefined;
        if (loader) loaders.set(loader.symbol, loader);
      }
  const symbols = [...loaders.keys()];
  const tensors = placed.map((tensor) => {
    const loader = loaderOf(tensor);
    return { ...tensor, loader: loader ? symbols.indexOf(loader.symbol) : null };
  });
  return { loaders: [...loaders.values()], tensors };
}

const MXFP4_PARTS = { codes: 'MXFP4Codes', exponents: 'MXFP4Exponents' } as const;

/** F32 vectors that stay as they are need none. */
function loaderOf({
  layout,
  type,
  storedAs,
  plusOne,
  alternate,
  transposed,
  part,
}: PlacedTensor): PlannedLoader | undefined {
  if (layout === 'vector' && type === 'F32' && !plusOne && !alternate) return undefined;
  const how = [...(transposed ? ['columns'] : []), ...(alternate ? [alternate] : []), ...(part ? [part] : [])];
  const one = part ? MXFP4_PARTS[part] : storedAs ? `To${type}<${storedAs}>` : type;
  const source = alternate === undefined ? one : `${alternate === 'even' ? 'Even' : 'Odd'}<${one}>`;
  const symbolOf = (...words: readonly string[]) => ['realizar', ...words, ...how].join('_').toLowerCase();
  if (layout === 'tiled')
    return {
      symbol: storedAs ? symbolOf('quantize', storedAs, 'to', type) : symbolOf('repack', type),
      body: `repack${transposed ? '_columns' : ''}<${source}>`,
    };
  return plusOne
    ? { symbol: symbolOf('plus_one', type), body: `widen_vector_plus_one<${source}>` }
    : { symbol: symbolOf('widen', type), body: `widen_vector<${source}>` };
}
