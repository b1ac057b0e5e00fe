/** The kernels that bring tensors to the device, and the table that says which does so with which tensor. */
import { GGML_TYPES } from '../model/ggml.js';
import type { Plan } from '../plan/plan.js';
import type { PlannedTensor } from '../plan/weights.js';
import { cString, loaderSymbol } from './names.js';

export interface LoaderView {
  readonly symbol: string;
  readonly body: string;
}

const MXFP4_PARTS = { codes: 'MXFP4Codes', exponents: 'MXFP4Exponents' } as const;

/** The kernel that brings a tensor to the device; F32 vectors that stay as they are need none. */
function loaderOf({
  layout,
  type,
  storedAs,
  plusOne,
  alternate,
  transposed,
  part,
}: PlannedTensor): LoaderView | undefined {
  if (layout === 'vector' && type === 'F32' && !plusOne && !alternate) return undefined;
  const how = [...(transposed ? ['columns'] : []), ...(alternate ? [alternate] : []), ...(part ? [part] : [])];
  const one = part ? MXFP4_PARTS[part] : storedAs ? `To${type}<${storedAs}>` : type;
  const source = alternate === undefined ? one : `${alternate === 'even' ? 'Even' : 'Odd'}<${one}>`;
  const symbolOf = (...words: readonly string[]) => loaderSymbol(...words, ...how);
  if (layout === 'tiled')
    return {
      symbol: storedAs ? symbolOf('quantize', storedAs, 'to', type) : symbolOf('repack', type),
      body: `repack${transposed ? '_columns' : ''}<${source}>`,
    };
  return plusOne
    ? { symbol: symbolOf('plus_one', type), body: `widen_vector_plus_one<${source}>` }
    : { symbol: symbolOf('widen', type), body: `widen_vector<${source}>` };
}

/** Each once, in the order of the formats; of one format those for matrices first. */
export function loadersOf(plan: Plan): LoaderView[] {
  const loaders = new Map<string, LoaderView>();
  for (const format of plan.formats)
    for (const layout of ['tiled', 'vector'])
      for (const tensor of plan.tensors) {
        const loader = tensor.type === format && tensor.layout === layout ? loaderOf(tensor) : undefined;
        if (loader) loaders.set(loader.symbol, loader);
      }
  return [...loaders.values()];
}

/** Of the runtime's table of tensors: where each is in the file and on the device, and the kernel that brings it there. */
export function tensorRows(plan: Plan, loaders: readonly LoaderView[]): { readonly row: string }[] {
  return plan.tensors.map((tensor) => {
    const symbol = loaderOf(tensor)?.symbol;
    const index = loaders.findIndex((loader) => loader.symbol === symbol);
    return { row: tensorRow(tensor, index < 0 ? 'no_repack' : String(plan.kernels.length + index)) };
  });
}

function tensorRow(t: PlannedTensor, loader: string): string {
  const file = `${GGML_TYPES[t.storedAs ?? t.type].id}, ${t.fileOffset}, ${t.fileBytes}, ${t.rows}, ${t.cols}`;
  return `{${cString(t.name)}, ${file}, ${t.deviceOffset}, ${loader}, ${t.rowsPerGroup}, ${t.colsPerChunk}, ${t.groupStride}, ${t.chunkStride}${t.transposed ? ', true' : ''}}`;
}
