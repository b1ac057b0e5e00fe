/** select -> nothing: of many rows the host reads the logits and chooses */
import type { Graph } from '../graph/graph.js';

export function leaveLogits({ ops, logits }: Graph): Graph {
  return { ops: ops.filter(({ kind }) => kind !== 'select'), logits, manyRows: true };
}
