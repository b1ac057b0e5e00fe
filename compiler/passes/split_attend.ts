/** attend whose output is made an operand and read so alone -> append, attend_rows, which writes the operand */
import type { Graph } from '../graph/graph.js';
import { type Append, queryCols } from '../kernels/append.js';
import type { Attend } from '../kernels/attend/operation.js';
import type { AttendRows } from '../kernels/attend_rows.js';
import { type Edits, freshValues, rewrite, Uses } from './uses.js';

export function splitAttend(graph: Graph): Graph {
  const uses = new Uses(graph);
  const fresh = freshValues(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (op.kind === 'attend') split(uses, op, fresh, edits);
  return rewrite(graph, edits);
}

function split(uses: Uses, op: Attend, fresh: ReturnType<typeof freshValues>, edits: Edits): void {
  const [operand, ...others] = uses.readers(op.output);
  if (operand?.kind !== 'operand_rows' || others.length > 0 || operand.norm || operand.inputSum) return;
  if (operand.output.rows !== op.output.rows) return;
  const { cache, qkv, queryNorm, keyNorm, normTurned, rope, headCount, headCountKv, headSize, scale } = op;
  const { softCap, window, sinks, gates } = op;
  // Queries of weights in F32 are as fine as these, of which a product takes two halves (matmul/weights.cuh).
  const rests = uses.writer('matmul', qkv)?.segments[0]?.weights[0]?.type === 'F32';
  const heads = { headCount, headCountKv, headSize, ...(rests && { rests }) };
  const query = fresh(`blk.${cache.layer}.attn_query`, queryCols(heads), qkv.rows, 'f16');
  const append: Append = {
    kind: 'append',
    cache,
    qkv,
    ...(queryNorm && { queryNorm }),
    ...(keyNorm && { keyNorm }),
    ...(normTurned && { normTurned }),
    ...(rope && { rope }),
    ...heads,
    scale,
    ...(gates && { gates }),
    output: query,
  };
  const attend: AttendRows = {
    kind: 'attend_rows',
    cache,
    query,
    ...heads,
    ...(softCap && { softCap }),
    ...(window && { window }),
    ...(sinks && { sinks }),
    ...(gates && { gates, qkv }),
    output: operand.output,
  };
  edits.set(op, [append, attend]).set(operand, []);
}
