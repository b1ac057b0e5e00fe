/** linear gate, up of one input; silu_mul or another of two -> projection with one segment of both and that activation */
import type { Graph, Op } from '../graph/graph.js';
import type { GateMul } from '../ir/ops.js';
import type { Projection } from '../kernels/projection/operation.js';
import { GATED } from '../model/activations.js';
import { type Edits, rewrite, Uses } from './uses.js';

const isGateMul = (op: Op): op is GateMul => GATED.some((name) => op.kind === `${name}_mul`);

export function fuseGateUp(graph: Graph): Graph {
  const uses = new Uses(graph);
  const edits: Edits = new Map();
  for (const op of graph.ops) if (isGateMul(op)) fuse(uses, op, edits);
  return rewrite(graph, edits);
}

function fuse(uses: Uses, op: GateMul, edits: Edits): void {
  const gate = uses.soleWriter('linear', op.gate);
  const up = uses.soleWriter('linear', op.up);
  if (!gate || !up || gate.input !== up.input) return;
  const projection: Projection = {
    kind: 'projection',
    input: gate.input,
    segments: [{ weights: [gate.weight, up.weight], biases: [gate.bias, up.bias] }],
    activation: op.kind,
    output: op.output,
  };
  edits.set(gate, []).set(up, []).set(op, [projection]);
}
