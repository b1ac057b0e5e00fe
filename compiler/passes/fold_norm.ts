/** norm of a whole value, read by projections and experts only -> the norm of each of those */
import type { Graph, Op } from '../graph/graph.js';
import type { NormOp } from '../ir/ops.js';
import type { Experts } from '../kernels/experts/operation.js';
import type { Projection } from '../kernels/projection/operation.js';
import { type Edits, rewrite, Uses } from './uses.js';

export function foldNorm(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'norm') fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: NormOp, edits: Edits): void {
  const readers = uses.readers(op.output);
  const takesNorm = (reader: Op): reader is Projection | Experts => {
    if (reader.kind === 'projection') return !reader.norm && !reader.inputSum && reader.residual !== op.output;
    if (reader.kind !== 'experts' || reader.norm || reader.sum) return false;
    return !op.norm.centred && !op.norm.bias && reader.logits !== op.output;
  };
  // One reader that cannot take it keeps the norm alive, and then nothing is won by computing it again elsewhere.
  if (op.headSize !== undefined || !readers.every(takesNorm)) return;
  edits.set(op, []);
  for (const reader of readers) edits.set(reader, [{ ...reader, input: op.input, norm: op.norm }]);
}
