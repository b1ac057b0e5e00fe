/** projection to the logits; select -> the projection also writes its blocks' best; select_best */
import type { Graph } from '../graph/graph.js';
import type { Select } from '../ir/ops.js';
import { type Edits, freshValues, rewrite, Uses } from './uses.js';

export function fuseSelect(graph: Graph): Graph {
  const select = graph.ops.find((op): op is Select => op.kind === 'select');
  const projection = select && new Uses(graph).writer('projection', select.logits);
  if (!select || !projection) return graph;
  const best = freshValues(graph)(`${select.logits.name}_best`, 0, 'output');
  const edits: Edits = new Map();
  edits.set(projection, [{ ...projection, best }]);
  edits.set(select, [{ kind: 'select_best', logits: select.logits, best }]);
  return rewrite(graph, edits);
}
