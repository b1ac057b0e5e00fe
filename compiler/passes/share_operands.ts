/** operands of the same norm of the same value -> the first of them, as where both halves of a layer read one norm */
import type { Graph, Op } from '../graph/graph.js';
import type { Value } from '../ir/ops.js';
import type { Matmul } from '../kernels/matmul/operation.js';
import type { OperandRows } from '../kernels/operand_rows.js';
import type { ScatterRows } from '../kernels/scatter_rows.js';

export function shareOperands(graph: Graph): Graph {
  const first = new Map<string, Value>();
  const replaced = new Map<Value, Value>();
  for (const op of graph.ops) {
    if (op.kind !== 'operand_rows' || op.inputSum) continue;
    const known = first.get(keyOf(op));
    if (known) replaced.set(op.output, known);
    else first.set(keyOf(op), op.output);
  }
  const ops = graph.ops
    .filter((op) => op.kind !== 'operand_rows' || !replaced.has(op.output))
    .map((op) => (readsOperand(op) ? { ...op, input: replaced.get(op.input) ?? op.input } : op));
  return replaced.size > 0 ? { ...graph, ops } : graph;
}

const readsOperand = (op: Op): op is Matmul | ScatterRows => op.kind === 'matmul' || op.kind === 'scatter_rows';

/** Models name a norm's weight twice where two operations take it. */
function keyOf({ input, norm, output }: OperandRows): string {
  const { weight, bias, epsilon, centred } = norm ?? {};
  return [input.id, output.rows, weight?.name, bias?.name, epsilon, centred].join(' ');
}
