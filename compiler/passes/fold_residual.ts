/** add of a projection that nothing else reads -> the residual of that projection, which moves to where the add was */
import type { Add, Graph } from '../ir/ops.js';
import { type Edits, rewrite, Uses } from './uses.js';

export function foldResidual(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'add') fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: Add, edits: Edits): void {
  for (const [operand, residual] of [
    [op.a, op.b],
    [op.b, op.a],
  ] as const) {
    const projection = uses.soleWriter('projection', operand);
    if (!projection || projection.residual) continue;
    edits.set(projection, []).set(op, [{ ...projection, residual, output: op.output }]);
    return;
  }
}
