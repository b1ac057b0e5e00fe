/** Fused operations -> nodes with kernels: first each by itself, then those that need others' configurations. */
import { CompileError } from '../../runtime/common/errors.js';
import type { Value } from '../ir/ops.js';
import { type AttendConfig, attendCounters } from '../kernels/attend/config.js';
import { expertsConfig } from '../kernels/experts/config.js';
import { type FusedOp, kernelOf } from '../kernels/index.js';
import { STATE_COUNTERS } from '../kernels/kernel.js';
import { selectConfig } from '../kernels/select.js';
import { attentionBuckets } from './buckets.js';
import { isProjection, type LoweredNode, type Lowering, type Planning } from './lowering.js';
import { tunedConfig } from './tuning.js';

/** Each node by itself. Errors: CompileError where an attention has more groups of heads than a session has counters for. */
export function lowerNodes(ops: readonly FusedOp[], planning: Planning): Lowering {
  const { limits, configs } = attentionBuckets(ops, planning);
  const nodes = ops.map((op): LoweredNode => {
    const { configure } = kernelOf(op);
    const own = configure ? [tunedConfig(planning, (target) => configure(op, target, planning))] : [];
    return { op, name: nodeName(op), configs: op.kind === 'attend' ? counted(op.output, configs.get(op)!) : own };
  });
  return { nodes, limits };
}

/** lower_dependent: experts know how many blocks add up their logits, and the choice of a token how many leave it their best. */
export function lowerDependent(lowering: Lowering, { target, vocabSize }: Planning): Lowering {
  const blocks = new Map<Value, number>();
  for (const { op, configs } of lowering.nodes.filter(isProjection))
    for (const value of [op.router?.logits, op.best]) if (value) blocks.set(value, configs[0].blocks);
  const nodes = lowering.nodes.map((node): LoweredNode => {
    const { op } = node;
    if (op.kind === 'experts')
      return { ...node, configs: [expertsConfig(op, target, { accumulated: blocks.get(op.logits) })] };
    if (op.kind === 'select_best') return { ...node, configs: [selectConfig(blocks.get(op.best)!, vocabSize, target)] };
    return node;
  });
  return { ...lowering, nodes };
}

function counted(output: Value, configs: readonly AttendConfig[]): readonly AttendConfig[] {
  const counters = Math.max(...configs.map(attendCounters));
  if (counters > STATE_COUNTERS)
    throw new CompileError(`${output.name} has ${counters} groups of heads; at most ${STATE_COUNTERS} are supported`);
  return configs;
}

function nodeName(op: FusedOp): string {
  if (op.kind === 'find_largest') return op.name;
  return op.kind === 'select_best' || op.kind === 'select_rows' ? 'select' : op.output.name;
}
