/** linear -> projection with one segment */
import type { Graph, Op } from '../graph/graph.js';
import type { Linear, Segment } from '../ir/ops.js';

export function lowerLinear(graph: Graph): Graph {
  return { ...graph, ops: graph.ops.map(lowered) };
}

export function asSegment({ weight, bias }: Pick<Linear, 'weight' | 'bias'>): Segment {
  return { weights: [weight], biases: [bias] };
}

function lowered(op: Op): Op {
  if (op.kind !== 'linear') return op;
  return { kind: 'projection', input: op.input, segments: [asSegment(op)], output: op.output };
}
