/** embed_rows.cuh: the embedding's row of each token of a step, times a constant. */

import type { GgmlType } from '../../runtime/files/ggml.js';
import { roundUp } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Embed } from '../ir/ops.js';
import { PRIMITIVES } from '../ir/primitives.js';
import { unitsOf } from './formats.js';
import type { Kernel } from './kernel.js';
import { strides, type Tiling } from './tiling.js';

/** Fused, of many rows: embed. */
export interface EmbedRows extends Omit<Embed, 'kind'> {
  readonly kind: 'embed_rows';
}

export interface EmbedRowsConfig extends Tiling {
  readonly kind: 'embed_rows';
  readonly cols: number;
  readonly format: GgmlType;
  readonly groupBytes: number;
  readonly scale: number;
  readonly rows: number;
  readonly slotBytes: number;
  readonly threads: number;
}

export const embedRows: Kernel<EmbedRows, EmbedRowsConfig> = {
  operation: 'embed_rows',
  include: 'embed_rows.cuh',
  body: 'embed_rows',
  args: 'EmbedRowsArgs',
  reads: () => effects([], 'step', 'state'),
  writes: ({ output }) => effects([output], 'fed'),
  check: (op, checks) => PRIMITIVES.embed.check({ ...op, kind: 'embed' }, checks),
  about: ({ weight: { name, type, rows, cols }, scale, output }) =>
    `${name} ${type} [${rows} x ${cols}], row of each token${scale ? `, * ${scale}` : ''} -> f32[${output.cols}]`,
  vectors: () => [],
  readBytes: ({ weight }) => weight.bytes / weight.rows,
  configure: (op, _target, { program, weights, slotBytes }) => {
    const { cols, type } = op.weight;
    const tiling = weights.tilingOf(op.weight);
    const threads = Math.min(256, roundUp(unitsOf(cols), 32));
    const groupBytes = strides([type], cols, tiling).groupStride;
    const { rows } = program;
    return {
      kind: 'embed_rows',
      cols,
      ...tiling,
      format: type,
      groupBytes,
      scale: op.scale ?? 1,
      rows,
      slotBytes,
      threads,
    };
  },
  launch: ({ rows, threads }) => ({ blocks: rows, threads, sharedBytes: 0 }),
  scratch: () => [],
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.state('rows', 'rows'),
    at.state('slots', 'state'),
    at.state('fed', 'fed'),
    at.weights(),
    at.value('output', op.output),
  ],
  fields: ({ rows, slotBytes, cols, groupRows, chunkCols, format, groupBytes, scale }) => [
    `using format = ${format};`,
    ['int', { rows, slot_bytes: slotBytes }],
    ['int', { cols, group_rows: groupRows, chunk_cols: chunkCols }],
    ['int64_t', { group_bytes: groupBytes }],
    ['float', { scale }],
  ],
  asserts: () => [],
};
