/** Blocks of two nodes that follow each other, side by side on the multiprocessors. */
import type { FusedOp } from '../kernels/index.js';
import { projectionConfig } from '../kernels/projection/config.js';
import { projection as kernel } from '../kernels/projection/kernel.js';
import type { Projection } from '../kernels/projection/operation.js';
import { mostBeside, type Target } from './target.js';

/** Does a projection make what an attention reads, or read what one makes? */
export function besideAttention(ops: readonly FusedOp[], op: Projection): 'before' | 'after' | undefined {
  for (const other of ops) {
    if (other.kind !== 'attend') continue;
    if (other.qkv.id === op.output.id) return 'before';
    if (other.output.id === op.input.id) return 'after';
  }
  return undefined;
}

/**
 * Blocks of two nodes share the multiprocessors where the projections before and after attention are asked for whole:
 * attention uses no memory bandwidth to speak of, and their weights arrive meanwhile. Returns the shared memory, bytes, of
 * the largest block of a projection after attention; null where no blocks share.
 */
export function pairedBlocks(ops: readonly FusedOp[], target: Target): number | null {
  if (target.projection.paired === null) return null;
  let most = 0;
  for (const op of ops) {
    const where = op.kind === 'projection' && besideAttention(ops, op);
    if (!where) continue;
    const config = projectionConfig(op, targetOfWhole(target, where), 'whole');
    if (!config.whole) return null;
    if (where === 'after') most = Math.max(most, kernel.launch(config).sharedBytes);
  }
  return most > 0 ? most : null;
}

/** The target for a projection that is to be asked for whole. */
export function targetOfWhole(target: Target, where: 'before' | 'after'): Target {
  const { paired } = target.projection;
  if (paired === null || where === 'before') return target;
  const whole = { ...paired.whole, mostShared: paired.mostAfterAttention };
  return { ...target, projection: { ...target.projection, paired: { ...paired, whole } } };
}

/** The target for a node beside which multiprocessors have room for another one's block of so many bytes, and no more. */
export function targetBeside(target: Target, sharedBytes: number): Target {
  const { paired } = target.projection;
  if (paired === null) return target;
  const mostShared = mostBeside(target.sharedBytes, sharedBytes);
  return { ...target, projection: { ...target.projection, paired: { ...paired, mostShared } } };
}
