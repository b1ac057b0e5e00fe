/**
 * projection of a router; experts with gate and up; experts with down and the sum, of many rows
 *   -> route_rows, sort_rows; the operand of their input, scatter_rows; matmul; operand_rows; matmul; combine_rows
 */
import type { Graph, Op } from '../graph/graph.js';
import type { Pairs, Value } from '../ir/ops.js';
import type { CombineRows } from '../kernels/combine_rows.js';
import type { Experts } from '../kernels/experts/operation.js';
import type { Matmul } from '../kernels/matmul/operation.js';
import type { OperandRows } from '../kernels/operand_rows.js';
import type { Projection } from '../kernels/projection/operation.js';
import type { RouteRows } from '../kernels/route_rows.js';
import type { ScatterRows } from '../kernels/scatter_rows.js';
import type { SortRows } from '../kernels/sort_rows.js';
import { type Edits, freshValues, rewrite, Uses } from './uses.js';

interface ExpertsMatch {
  readonly router: Projection;
  /** Gate and up, or up. */
  readonly inner: Experts;
  readonly sum: Experts;
}

export function splitExperts(graph: Graph): Graph {
  const uses = new Uses(graph);
  const fresh = freshValues(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) {
    const match = op.kind === 'experts' && op.sum && matchExperts(uses, op);
    if (match) split(match, fresh, edits);
  }
  return graph.manyRows ? rewrite(graph, edits) : graph;
}

function matchExperts(uses: Uses, sum: Experts): ExpertsMatch | undefined {
  const router = uses.writer('projection', sum.logits);
  const inner = uses.soleWriter('experts', sum.input);
  if (!router || !inner || !isPlain(router) || inner.sum || inner.norm || inner.accumulated || sum.accumulated)
    return undefined;
  const alike = inner.logits === sum.logits && inner.experts === sum.experts && inner.selection === sum.selection;
  return alike && uses.readers(sum.logits).length === 2 ? { router, inner, sum } : undefined;
}

const isPlain = ({ norm, inputSum, activation, scale, softCap, residual, best, router }: Projection): boolean =>
  (norm ?? inputSum ?? activation ?? scale ?? softCap ?? residual ?? best ?? router) === undefined;

function split({ router, inner, sum }: ExpertsMatch, fresh: ReturnType<typeof freshValues>, edits: Edits): void {
  const { count, used } = sum.experts;
  const pairs: Pairs = { experts: count, used };
  const { rows } = sum.output;
  const routing = fresh(`${router.output.name}_topk`, 2 * used + (sum.gated ? 1 : 0), rows);
  const places = fresh(`${router.output.name}_places`, used, rows, 'i32');
  // A row of four bytes a pair: tiles have 16, of at least eight pairs each.
  const tiles = fresh(`${router.output.name}_tiles`, 1, pairs, 'i32');
  const operand = operandOf(inner.input, fresh);
  const scattered = fresh(`${inner.input.name}_pairs_f16`, inner.input.cols, pairs, 'operand');
  const acted = { ...fresh(inner.output.name, inner.output.cols / used, pairs) };
  const actedOperand = operandOf(acted, fresh);
  const down = fresh(`${sum.output.name}_pairs`, sum.output.cols, pairs);
  const { experts, selection } = sum;
  const route: RouteRows = {
    ...{ kind: 'route_rows', input: router.input, segments: router.segments, experts, output: routing },
    ...(selection && { selection }),
  };
  const sort: SortRows = { kind: 'sort_rows', routing, output: places, tiles };
  const scatter: ScatterRows = { kind: 'scatter_rows', input: operand.output, places, output: scattered };
  const product = (input: Value, { segment, activation }: Experts, output: Value): Matmul => ({
    ...{ kind: 'matmul', input, segments: [segment], experts: { count, tiles }, output },
    ...(activation && { activation }),
  });
  const combine: CombineRows = {
    ...{ kind: 'combine_rows', input: down, routing, places, output: sum.output },
    ...(sum.shared && { shared: sum.shared }),
    ...(sum.gated && { gated: true }),
    ...(sum.sum?.scale !== undefined && { scale: sum.sum.scale }),
    ...(sum.residual && { residual: sum.residual }),
  };
  // The operand first: it may then take the norm and the sum that both read.
  const isOne = router.input === inner.input;
  edits.set(router, isOne ? [operand, route, sort, scatter] : [route, sort]);
  edits.set(inner, [
    ...(isOne ? [] : [operand, scatter]),
    product(scattered, inner, acted),
    { ...actedOperand, tiles },
  ] satisfies Op[]);
  edits.set(sum, [product(actedOperand.output, sum, down), combine]);
}

const operandOf = (input: Value, fresh: ReturnType<typeof freshValues>): OperandRows => ({
  ...{ kind: 'operand_rows', input, output: fresh(`${input.name}_f16`, input.cols, input.rows, 'operand') },
});
