/** norm_add of nothing that an operand alone reads -> the norm of that operand */
import type { Graph } from '../graph/graph.js';
import type { NormAdd } from '../kernels/norm_add.js';
import { type Edits, rewrite, Uses } from './uses.js';

export function foldOperandNorm(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'norm_add' && !op.residual) fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: NormAdd, edits: Edits): void {
  const [operand, ...others] = uses.readers(op.output);
  if (operand?.kind !== 'operand_rows' || others.length > 0 || operand.norm || operand.inputSum) return;
  edits.set(op, []).set(operand, [{ ...operand, input: op.input, norm: op.norm }]);
}
