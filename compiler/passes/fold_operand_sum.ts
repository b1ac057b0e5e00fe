/** norm_add whose sum an operand reads before anything else does -> the sum of that operand's input */
import type { Graph } from '../graph/graph.js';
import type { NormAdd } from '../kernels/norm_add.js';
import { type Edits, rewrite, Uses } from './uses.js';

export function foldOperandSum(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'norm_add') fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: NormAdd, edits: Edits): void {
  const { input, norm, residual, output } = op;
  if (!residual || norm.centred || norm.bias) return;
  const [first, ...others] = uses.readers(output);
  if (first?.kind !== 'operand_rows' || first.input !== output || first.inputSum || first.norm?.centred) return;
  // Of rows whose logits are wanted only those are summed, and others may want all.
  if (others.length > 0 && first.output.rows !== output.rows) return;
  const left = others.length > 0 && { output };
  edits.set(op, []).set(first, [{ ...first, input, inputSum: { norm, residual, ...left } }]);
}
