/** Blocks of two nodes that follow each other, side by side on the multiprocessors. */
import type { FusedOp, Projection } from '../ir/ops.js';
import { launchOf, type ProjectionConfig, projectionConfig } from './kernels.js';
import type { Target } from './target.js';

/** The largest block's shared memory, bytes, of the projections before and after attention. */
export interface PairedBlocks {
  readonly before: number;
  readonly after: number;
}

/**
 * Blocks of two nodes share the multiprocessors where the projections before and after attention are asked for whole:
 * attention uses no memory bandwidth to speak of, and their weights arrive meanwhile. null: they do not.
 */
export function pairedBlocks(ops: readonly FusedOp[], target: Target): PairedBlocks | null {
  if (target.projection.paired === null) return null;
  const attends = ops.filter((op) => op.kind === 'attend');
  const wholes = (of: (op: Projection) => boolean) =>
    ops
      .filter((op) => op.kind === 'projection')
      .filter(of)
      .map((op) => projectionConfig(op, target, true));
  const before = wholes((op) => attends.some(({ qkv }) => qkv.id === op.output.id));
  const after = wholes((op) => attends.some(({ output }) => output.id === op.input.id));
  if (before.length + after.length === 0 || ![...before, ...after].every(({ whole }) => whole)) return null;
  const most = (configs: readonly ProjectionConfig[]) => Math.max(0, ...configs.map((c) => launchOf(c).sharedBytes));
  return { before: most(before), after: most(after) };
}

/** The target for a node beside which multiprocessors have room for another one's block of so many bytes. */
export function targetBeside(target: Target, sharedBytes: number): Target {
  const { paired } = target.projection;
  if (paired === null) return target;
  // A multiprocessor has 1 KiB more than a block may ask for, and each block takes as much.
  const mostShared = Math.min(paired.mostShared, target.sharedBytes - 1024 - sharedBytes);
  return { ...target, projection: { ...target.projection, paired: { ...paired, mostShared } } };
}
