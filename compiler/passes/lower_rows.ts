/** embed -> embed_rows; norm_add that no operand took -> norm_add_rows */
import type { Graph, Op } from '../graph/graph.js';

export function lowerRows(graph: Graph): Graph {
  return { ...graph, ops: graph.ops.map(lowered) };
}

function lowered(op: Op): Op {
  if (op.kind === 'embed') return { ...op, kind: 'embed_rows' };
  // It makes a row of each of its input's.
  return op.kind === 'norm_add' && op.input.rows === op.output.rows ? { ...op, kind: 'norm_add_rows' } : op;
}
