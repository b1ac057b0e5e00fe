/**
 * co_residency: blocks of two nodes that follow each other stand side by side on the multiprocessors, so that the later
 * ones ask for their weights while the earlier ones work. Where the projections before and after attention can hold all
 * that they read in their pipeline stages, every projection and attention gets room for it: attention uses no memory
 * bandwidth to speak of, and their weights arrive meanwhile.
 *
 * Measured on an H100: qwen2-0.5b Q8_0 2392 -> 2540 tokens/s (docs/lab/2026-11-24-side-by-side.md). Not for what holds less
 * than all: llama-8b with attention and the two nodes after it side by side 526 -> 513 (docs/lab/2026-11-28-h100.md).
 */
import type { FusedOp } from '../kernels/index.js';
import { holdsAll, type ProjectionConfig, projectionConfig, type Room } from '../kernels/projection/config.js';
import type { CoResident, Target } from '../target/target.js';
import { attentionBuckets } from './buckets.js';
import { type LoweredNode, type Lowering, mapProjections, type Planning } from './lowering.js';
import { tunedConfig } from './tuning.js';

export function coResidency(lowering: Lowering, planning: Planning): Lowering {
  const ops = lowering.nodes.map(({ op }) => op);
  if (!allFitsAroundAttention(ops, planning.target)) return lowering;
  const around = aroundAttention(ops);
  const { limits, configs } = attentionBuckets(ops, planning, true);
  const attending = lowering.nodes.map(
    (node): LoweredNode => (node.op.kind === 'attend' ? { ...node, configs: configs.get(node.op)! } : node),
  );
  return mapProjections({ nodes: attending, limits }, (_, { op }) =>
    tunedConfig(planning, (target) => projectionConfig(op, target, coResidentRoom(target, around.get(op)))),
  );
}

type Around = 'before' | 'after';

/** The projections that make what an attention reads, and those that read what one makes. */
export function aroundAttention(ops: readonly FusedOp[]): Map<FusedOp, Around> {
  const attentions = ops.filter((op) => op.kind === 'attend');
  const before = new Set(attentions.map(({ qkv }) => qkv));
  const after = new Set(attentions.map(({ output }) => output));
  const around = new Map<FusedOp, Around>();
  for (const op of ops) {
    if (op.kind !== 'projection') continue;
    if (before.has(op.output)) around.set(op, 'before');
    else if (after.has(op.input)) around.set(op, 'after');
  }
  return around;
}

export function allFitsAroundAttention(ops: readonly FusedOp[], target: Target): boolean {
  if (target.projection.coResident === null) return false;
  const around = [...aroundAttention(ops)];
  const holds = ([op, where]: [FusedOp, Around]) => {
    if (op.kind !== 'projection') return false;
    return holdsAll(projectionConfig(op, target, coResidentRoom(target, where)), mostToHoldAll(target, where));
  };
  return around.some(([, where]) => where === 'after') && around.every(holds);
}

/** Beside another node's blocks, of which each may have so many bytes of shared memory less. */
export function coResidentRoom(target: Target, where: Around | undefined, mostShared?: number): Room {
  const coResident = coResidentOf(target);
  return {
    ...coResident,
    mostShared: mostShared ?? coResident.mostShared,
    blocks: 2,
    ...(where && { holdAllIn: mostToHoldAll(target, where) }),
  };
}

/** The most shared memory, bytes, of a block that holds all that it reads: after attention the next one wants room beside it. */
export function mostToHoldAll(target: Target, where: Around | undefined): number {
  const { holdsAll, mostAfterAttention } = coResidentOf(target);
  return where === 'after' ? mostAfterAttention : holdsAll.mostShared;
}

export const isCoResident = ({ blocksPerMultiprocessor }: ProjectionConfig): boolean => blocksPerMultiprocessor > 1;

function coResidentOf({ projection: { coResident } }: Target): CoResident {
  if (coResident === null) throw new Error('two blocks of a multiprocessor that has no room for them');
  return coResident;
}
