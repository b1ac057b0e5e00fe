/** norm of a whole value that no projection took -> norm_add, so far of nothing */
import type { Graph, Op } from '../graph/graph.js';

export function lowerNorm(graph: Graph): Graph {
  return { ...graph, ops: graph.ops.map(lowered) };
}

function lowered(op: Op): Op {
  if (op.kind !== 'norm' || op.headSize !== undefined) return op;
  return { kind: 'norm_add', input: op.input, norm: op.norm, output: op.output };
}
