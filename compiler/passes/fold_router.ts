/**
 * projection whose norm a router's projection takes, and experts read that one's logits
 *   -> the first one with the router's share; experts with accumulated logits
 *
 * A node less, for the chain of waits that a token is. Only where experts are chosen by nothing but the logits: what is
 * added to them, or made of them, would first need the root mean square of all rows. The router's matrix is read as f32.
 */
import type { Graph, Op } from '../graph/graph.js';
import type { Value } from '../ir/ops.js';
import type { Experts } from '../kernels/experts/operation.js';
import type { Projection } from '../kernels/projection/operation.js';
import type { RouterShare } from '../kernels/router.js';
import type { Weight } from '../model/spec.js';
import { type Edits, rewrite, Uses } from './uses.js';

export function foldRouter(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'projection') fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: Projection, edits: Edits): void {
  const router = routerOf(op);
  const before = uses.writer('projection', op.input);
  const readers = uses.readers(op.output);
  const takes = (reader: Op): reader is Experts => takesGathered(reader, op.output);
  if (!router || !before || before.segments.length > 1 || before.best || edits.has(before)) return;
  if (readers.length === 0 || !readers.every(takes)) return;
  edits.set(op, []).set(before, [{ ...before, router }]);
  for (const reader of readers) edits.set(reader, [{ ...reader, accumulated: router.norm }]);
}

function takesGathered(op: Op, logits: Value): op is Experts {
  if (op.kind !== 'experts' || op.logits !== logits || op.input === logits) return false;
  return !op.gated && !op.selection && !op.experts.groups;
}

/** Of a projection that is nothing but a matrix times a norm. */
function routerOf(op: Projection): RouterShare | undefined {
  const { norm, segments, inputSum, residual, activation, scale, softCap, best, output } = op;
  const [segment, ...others] = segments;
  if (!norm || norm.centred || norm.bias || !segment || others.length > 0) return undefined;
  const [weight, second] = segment.weights;
  if (!weight || second || segment.biases[0] || !isPlain(weight)) return undefined;
  const more = inputSum ?? residual ?? activation ?? scale ?? softCap ?? best;
  return more === undefined ? { norm, weight, logits: output } : undefined;
}

/** Its file has the matrix as floats, row by row, in one piece. */
function isPlain({ type, scale, pieces, alternate, transposed, storedAs, plusOne }: Weight): boolean {
  const change = scale ?? pieces ?? alternate ?? transposed ?? storedAs ?? plusOne;
  return change === undefined && (type === 'F32' || type === 'F16' || type === 'BF16');
}
