/** embed.cuh: the embedding's row of the token, times a constant. The first node, so it also clears what later ones add to. */

import type { GgmlType } from '../../runtime/files/ggml.js';
import type { Embed } from '../ir/ops.js';
import { PRIMITIVES } from '../ir/primitives.js';
import type { Weight } from '../model/spec.js';
import { UNIT_COLS, unitsOf } from './formats.js';
import type { Kernel } from './kernel.js';
import { ACCUMULATED, ACCUMULATED_BYTES } from './router.js';
import { strides, type Tiling } from './tiling.js';

export interface EmbedConfig extends Tiling {
  readonly kind: 'embed';
  readonly cols: number;
  readonly format: GgmlType;
  readonly groupBytes: number;
  readonly scale: number;
  /** ACCUMULATED_BYTES, of which the first are set to zero for later nodes of the token. */
  readonly sums: number;
  readonly blocks: number;
}

export const embed: Kernel<Embed, EmbedConfig> = {
  operation: 'embed',
  include: 'embed.cuh',
  body: 'embed',
  args: 'EmbedArgs',
  ...PRIMITIVES.embed,
  about: ({ weight: { name, type, rows, cols }, scale, output }) =>
    `${name} ${type} [${rows} x ${cols}], row of the token${scale ? `, * ${scale}` : ''} -> f32[${output.cols}]`,
  vectors: () => [],
  readBytes: ({ weight }) => weight.bytes / weight.rows,
  launch: ({ blocks }) => ({ blocks, threads: 32, sharedBytes: 0 }),
  scratch: (_op, [config]) =>
    config!.sums > 0 ? [{ region: 'arena', name: ACCUMULATED, bytes: config!.sums * ACCUMULATED_BYTES }] : [],
  arguments: (op, at) => [
    at.weights(),
    at.state('state', 'state'),
    at.value('output', op.output),
    at.scratch('logits', ACCUMULATED),
  ],
  fields: ({ cols, groupRows, chunkCols, format, groupBytes, scale, sums }) => [
    `using format = ${format};`,
    ['int', { cols, group_rows: groupRows, chunk_cols: chunkCols, sums }],
    ['int64_t', { group_bytes: groupBytes }],
    ['float', { scale }],
  ],
  asserts: () => [],
};

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
