/** norm_add of nothing that an operand and a router alone read -> the norm of each of those */
import type { Graph, Op } from '../graph/graph.js';
import type { NormAdd } from '../kernels/norm_add.js';
import type { OperandRows } from '../kernels/operand_rows.js';
import type { RouteRows } from '../kernels/route_rows.js';
import { type Edits, rewrite, Uses } from './uses.js';

export function foldOperandNorm(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'norm_add' && !op.residual) fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: NormAdd, edits: Edits): void {
  const { input, norm, output } = op;
  const readers = uses.readers(output);
  const takesNorm = (reader: Op): reader is OperandRows | RouteRows => {
    if (reader.kind === 'route_rows') return !reader.norm && !norm.centred && !norm.bias;
    return reader.kind === 'operand_rows' && !reader.norm && !reader.inputSum;
  };
  if (!readers.every(takesNorm) || readers.filter(({ kind }) => kind === 'operand_rows').length > 1) return;
  edits.set(op, []);
  for (const reader of readers) edits.set(reader, [{ ...reader, input, norm }]);
}
