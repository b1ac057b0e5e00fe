/** Weights that a projection brings into L2 for a later one. The twin of runtime/kernels/ahead.cuh. */
import type { FusedOp, Projection } from '../ir/ops.js';
import { type ProjectionConfig, strides } from './kernels.js';

/** ahead.cuh's Ahead: the first bytes of each block's run of a later projection's groups. */
export interface Ahead {
  readonly blocks: number;
  readonly bytes: number;
  readonly segments: readonly { readonly groups: number; readonly groupBytes: number }[];
}

/**
 * The projection whose weights the one at `index` asks for: around attention memory has little to do, so the projection
 * after it looks for the next. Not the one before it: attention's queries would queue behind.
 */
export function lookAhead(ops: readonly FusedOp[], index: number): Projection | undefined {
  if (ops[index]!.kind !== 'projection' || ops[index - 1]?.kind !== 'attend') return undefined;
  const later = ops.slice(index + 1).find(({ kind }) => kind !== 'norm_add');
  return later?.kind === 'projection' ? later : undefined;
}

export function aheadConfig(later: ProjectionConfig, bytes: number): Ahead {
  const segments = later.segments.map(({ rows, formats }) => ({
    groups: Math.ceil(rows / later.groupRows),
    groupBytes: strides(formats, later.cols, later).groupStride,
  }));
  return { blocks: later.blocks, bytes, segments };
}
