/** norm_add whose sum a projection reads before anything else does -> the sum of that projection's input */
import type { Graph } from '../graph/graph.js';
import type { NormAdd } from '../kernels/norm_add.js';
import { type Edits, rewrite, Uses } from './uses.js';

export function foldNormAdd(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'norm_add') fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: NormAdd, edits: Edits): void {
  const { input, norm, residual, output } = op;
  if (!residual || norm.centred || norm.bias) return;
  const [first, ...others] = uses.readers(output);
  // The first operand of a projection is its input. Later operations read what the first one leaves.
  if (first?.kind !== 'projection' || first.input !== output || others.includes(first)) return;
  if (first.inputSum || first.norm?.centred) return;
  const left = others.length > 0 && { output };
  edits.set(op, []).set(first, [{ ...first, input, inputSum: { norm, residual, ...left } }]);
}
