/** select -> select_rows: of each output by itself */
import type { Graph } from '../graph/graph.js';

export function selectRows({ ops, logits }: Graph): Graph {
  const selecting = ops.map((op) => (op.kind === 'select' ? { ...op, kind: 'select_rows' as const } : op));
  return { ops: selecting, logits, manyRows: true };
}
