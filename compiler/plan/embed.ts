/** Embedding -> kernel: its compile-time shape and grid. The twin of runtime/kernels/embed.cuh. */
import type { Embed } from '../ir/ops.js';
import type { GgmlType } from '../model/ggml.js';
import type { Weight } from '../model/spec.js';
import { UNIT_COLS, unitsOf } from './formats.js';
import { strides, type Tiling } from './kernels.js';

/** embed.cuh */
export interface EmbedConfig extends Tiling {
  readonly kind: 'embed';
  readonly cols: number;
  readonly format: GgmlType;
  readonly groupBytes: number;
  readonly scale: number;
  /** GATHERED_BYTES, of which the first are set to zero for later nodes of the token. */
  readonly sums: number;
  readonly blocks: number;
}

export function embedConfig(op: Embed, tiling: Tiling, sums: number): EmbedConfig {
  const { cols, type } = op.weight;
  const groupBytes = strides([type], cols, tiling).groupStride;
  // A thread a unit, and for some four sums.
  const blocks = Math.max(Math.ceil(unitsOf(cols) / 32), Math.ceil(sums / 128));
  return { kind: 'embed', cols, ...tiling, format: type, groupBytes, scale: op.scale ?? 1, sums, blocks };
}

/** For a matrix that only the embedding reads: a row at a time. */
export function rowTiling(weight: Weight): Tiling {
  return { groupRows: 1, chunkCols: unitsOf(weight.cols) * UNIT_COLS };
}
