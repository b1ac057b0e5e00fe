/** scale of an embedding, projection or sum of experts, soft_cap of a projection, that nothing else reads -> its scale, its soft cap */
import type { Graph } from '../graph/graph.js';
import type { Scale, SoftCap } from '../ir/ops.js';
import { type Edits, rewrite, Uses } from './uses.js';

/** One at a time: a cap may follow a scale of the same projection. */
export function foldConstants(graph: Graph): Graph {
  return [foldScale, foldCap].reduce((folded, fold) => {
    const edits: Edits = new Map();
    fold(folded, new Uses(folded), edits);
    return rewrite(folded, edits);
  }, graph);
}

function foldScale(graph: Graph, uses: Uses, edits: Edits): void {
  for (const op of graph.ops.filter((op): op is Scale => op.kind === 'scale')) {
    const embed = uses.soleWriter('embed', op.input);
    if (embed && embed.scale === undefined)
      edits.set(embed, []).set(op, [{ ...embed, scale: op.by, output: op.output }]);
    const experts = uses.soleWriter('experts', op.input);
    if (experts?.sum && experts.sum.scale === undefined && !experts.residual)
      edits.set(experts, []).set(op, [{ ...experts, sum: { ...experts.sum, scale: op.by }, output: op.output }]);
    const product = uses.soleWriter('projection', op.input);
    if (product && !product.scale && !product.softCap && !product.residual)
      edits.set(product, []).set(op, [{ ...product, scale: op.by, output: op.output }]);
  }
}

function foldCap(graph: Graph, uses: Uses, edits: Edits): void {
  for (const op of graph.ops.filter((op): op is SoftCap => op.kind === 'soft_cap')) {
    const product = uses.soleWriter('projection', op.input);
    if (product && !product.softCap && !product.residual)
      edits.set(product, []).set(op, [{ ...product, softCap: op.cap, output: op.output }]);
  }
}
