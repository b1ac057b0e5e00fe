/**
 * projection -> operand_rows of its input; matmul
 *
 * Projections of one input share its operand, as experts do that have one. The logits' takes those rows of its input whose logits are wanted.
 */
import type { Graph, Op } from '../graph/graph.js';
import type { Rows, Value } from '../ir/ops.js';
import type { Matmul } from '../kernels/matmul/operation.js';
import type { OperandRows } from '../kernels/operand_rows.js';
import type { Projection } from '../kernels/projection/operation.js';
import { freshValues } from './uses.js';

export function makeOperands(graph: Graph): Graph {
  const fresh = freshValues(graph);
  const operands = new Map<string, OperandRows>();
  const ops = graph.ops.flatMap((op): Op[] => {
    if (op.kind === 'operand_rows' && !op.norm && !op.inputSum) operands.set(keyOf(op), op);
    if (op.kind !== 'projection' || !isPlain(op)) return [op];
    const { input, output } = op;
    const key = keyOf(op);
    const known = operands.get(key);
    const operand = known ?? operandOf(input, output.rows, fresh);
    operands.set(key, operand);
    const product: Matmul = { ...op, kind: 'matmul', input: operand.output };
    return known ? [product] : [operand, product];
  });
  return { ...graph, ops };
}

const keyOf = ({ input, output }: Pick<OperandRows, 'input' | 'output'>): string => `${input.id} ${output.rows}`;

/** Norms and sums of its input are operations of their own so far, and nothing is left for a choice of token or experts. */
const isPlain = ({ norm, inputSum, best, router }: Projection): boolean =>
  (norm ?? inputSum ?? best ?? router) === undefined;

function operandOf(input: Value, rows: Rows, fresh: ReturnType<typeof freshValues>): OperandRows {
  const wanted = input.rows === rows ? '' : '_wanted';
  return { kind: 'operand_rows', input, output: fresh(`${input.name}${wanted}_f16`, input.cols, rows, 'operand') };
}
