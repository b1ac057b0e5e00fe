/** add of a projection, sum of experts or norm_add that nothing else reads -> the residual of that one, which moves to where the add was */
import type { Graph } from '../graph/graph.js';
import type { Add } from '../ir/ops.js';
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
    const experts = uses.soleWriter('experts', operand);
    const sum = experts?.sum ? experts : undefined;
    const writer = uses.soleWriter('projection', operand) ?? uses.soleWriter('norm_add', operand) ?? sum;
    if (!writer || writer.residual) continue;
    edits.set(writer, []).set(op, [{ ...writer, residual, output: op.output }]);
    return;
  }
}
