/** The activation of a projection that nothing else reads -> the activation of that projection */
import type { Graph, Op } from '../graph/graph.js';
import type { Activate } from '../ir/ops.js';
import { ALONE } from '../model/activations.js';
import { type Edits, rewrite, Uses } from './uses.js';

const isActivate = (op: Op): op is Activate => ALONE.some((name) => op.kind === name);

export function foldActivation(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (isActivate(op)) fold(uses, op, edits);
  return rewrite(graph, edits);
}

function fold(uses: Uses, op: Activate, edits: Edits): void {
  const projection = uses.soleWriter('projection', op.input);
  // The activation comes first of what follows the product.
  if (!projection || projection.activation || projection.scale || projection.softCap || projection.residual) return;
  edits.set(projection, []).set(op, [{ ...projection, activation: op.kind, output: op.output }]);
}
