/** Weights that are asked for before the node that reads them has its input. */
import type { FusedOp, KernelConfig } from '../kernels/index.js';
import type { Ahead, ProjectionConfig } from '../kernels/projection/config.js';
import type { Projection } from '../kernels/projection/operation.js';
import { strides } from '../kernels/tiling.js';
import type { Target } from './target.js';

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
  return { blocks: later.blocks, bytes, segments: segmentsOf(later) };
}

/**
 * Does a projection fill its rings before it waits? The one after attention's does, where that has asked for all of its
 * weights: then its blocks are there early, and what they ask for bit by bit is in nobody's way.
 */
export function fillsRings(
  before: KernelConfig | undefined,
  beforeThat: KernelConfig | undefined,
  { multiprocessors, projection }: Target,
): boolean {
  if (before?.kind !== 'projection' || !before.whole || beforeThat?.kind !== 'attend') return false;
  const bytes = segmentsOf(before).reduce((sum, { groups, groupBytes }) => sum + groups * groupBytes, 0);
  return bytes / multiprocessors / projection.cost.bytesPerCycle >= projection.pacedCycles;
}

function segmentsOf(config: ProjectionConfig): Ahead['segments'] {
  return config.segments.map(({ rows, formats }) => ({
    groups: Math.ceil(rows / config.groupRows),
    groupBytes: strides(formats, config.cols, config).groupStride,
  }));
}
