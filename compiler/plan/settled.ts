/** Nodes that read before their programmatic wait: is what they read there by then? A broken rule is a defect of the compiler. */
import { writes } from '../graph/graph.js';
import type { Value } from '../ir/ops.js';
import type { FusedOp } from '../kernels/index.js';
import type { EdgeNode } from './edges.js';
import { configOf, type LoweredNode } from './lowering.js';

/**
 * attend/kernel.cuh reads the state and its cached rows before its wait, so no earlier node of a launch may write them. A sum
 * of experts reads logits before its wait: between the node that writes them and this one must be one that lets the
 * next start only after its own wait. So do products of pairs and their operands, which read the list of tiles.
 */
export function checkSettled(lowered: readonly LoweredNode[], effects: readonly EdgeNode[]): void {
  for (const [index, { op, name }] of lowered.entries()) {
    const before = lowered.slice(0, index);
    const early = readEarly(op);
    if (early) {
      const writer = before.findIndex((other) => writes(other.op).values.includes(early));
      if (!before.slice(writer + 1).some(waits))
        throw new Error(`${name} reads ${early.name} before its wait, and no node that waits is between them`);
    }
    if (op.kind !== 'attend') continue;
    const unwaited = effects[index]!.reads.filter(({ region }) => region !== 'arena');
    for (const [earlier, { writes: written }] of effects.slice(0, index).entries())
      if (written.some((a) => unwaited.some((b) => a.region === b.region && a.start < b.end && b.start < a.end)))
        throw new Error(`${name} reads before its wait what ${lowered[earlier]!.name} writes`);
  }
}

function readEarly(op: FusedOp): Value | undefined {
  if (op.kind === 'experts' && op.sum) return op.logits;
  if (op.kind === 'matmul') return op.experts?.tiles;
  return op.kind === 'operand_rows' ? op.tiles : undefined;
}

function waits(node: LoweredNode): boolean {
  const config = configOf(node)!;
  if (config.kind === 'scatter_rows') return true;
  return config.kind === 'experts' || (config.kind === 'projection' && !config.holdsAll);
}
