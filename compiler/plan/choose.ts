/** Fused graph -> kernels with their shapes, and weights laid out for them. */

import { roundUp } from '../arithmetic.js';
import type { Graph } from '../graph/graph.js';
import type { Value } from '../ir/ops.js';
import { embedConfig } from '../kernels/embed.js';
import { type FusedOp, kernelOf } from '../kernels/index.js';
import { ACCUMULATED_BYTES } from '../kernels/router.js';
import { meetingBytes, type SelectConfig } from '../kernels/select.js';
import type { Tiling } from '../kernels/tiling.js';
import { lowerNodes } from './lower_nodes.js';
import { configOf, isProjection, type LoweredNode, type Lowering, type Planning } from './lowering.js';
import { nodePasses } from './node_passes.js';
import type { WeightPlanner } from './weights.js';

/** Every node's kernel, and what follows from the kernels together. */
export interface Choice extends Lowering {
  readonly weights: WeightPlanner;
  /** Of an operation with matrices, where they start in the weights. */
  readonly weightStarts: ReadonlyMap<FusedOp, number>;
  /** Logits of experts that blocks add up, each value's sums and the blocks' squares, as they lie in one buffer. */
  readonly accumulated: Accumulated;
  /** Blocks of the output projection, each of which leaves its best token; 0 where no node chooses one. */
  readonly candidates: number;
  /** What the blocks that choose a token need to meet. */
  readonly meetingBytes: number;
}

/** Bytes, of the whole buffer; and of each value from its start. */
export interface Accumulated {
  readonly bytes: number;
  readonly values: ReadonlyMap<Value, { readonly offset: number; readonly bytes: number }>;
}

/** What a configuration says of how its matrices are cut. */
type Cut = Tiling & { readonly cols: number };

export function chooseKernels(graph: Graph, planning: Planning): Choice {
  const start = lowerNodes(graph.ops as readonly FusedOp[], planning);
  const lowering = nodePasses[planning.program.name].reduce((before, pass) => pass.run(before, planning), start);
  const accumulated = accumulatedLogits(lowering.nodes);
  const { nodes, weightStarts } = placeWeights(lowering.nodes, accumulated, planning);
  const choice = { ...lowering, nodes, weights: planning.weights, weightStarts, accumulated };
  const selects = nodes.find(({ op }) => op.kind === 'select_best');
  if (!selects) return { ...choice, candidates: 0, meetingBytes: 0 };
  const select = configOf(selects) as SelectConfig;
  return { ...choice, candidates: select.candidates, meetingBytes: meetingBytes(select) };
}

function accumulatedLogits(nodes: readonly LoweredNode[]): Accumulated {
  const values = new Map<Value, { offset: number; bytes: number }>();
  let end = 0;
  for (const { op, configs } of nodes.filter(isProjection)) {
    if (!op.router) continue;
    const bytes = ACCUMULATED_BYTES * op.router.logits.cols + 4 * configs[0].blocks;
    values.set(op.router.logits, { offset: end, bytes });
    end += roundUp(bytes, ACCUMULATED_BYTES);
  }
  return { bytes: end, values };
}

/**
 * The token program lays the matrices out, the embedding last: where the model ties it, the output projection decides that
 * matrix's layout. Programs of many rows find them there.
 */
function placeWeights(nodes: readonly LoweredNode[], accumulated: Accumulated, { weights, program }: Planning) {
  const weightStarts = new Map<FusedOp, number>();
  for (const { op, configs } of nodes) {
    const kernel = kernelOf(op);
    const matrices = kernel.matrices?.(op);
    if (matrices && program.name === 'token') weightStarts.set(op, weights.matrices(matrices, configs[0] as Cut));
    else if (matrices) weightStarts.set(op, weights.placeOf(matrices));
    for (const vector of kernel.vectors(op)) if (vector) weights.vector(vector);
  }
  const withEmbedding = nodes.map((node): LoweredNode => {
    if (node.op.kind !== 'embed' && node.op.kind !== 'embed_rows') return node;
    const { offset, tiling } = weights.embedding(node.op.weight);
    weightStarts.set(node.op, offset);
    if (node.op.kind === 'embed_rows') return node;
    return { ...node, configs: [embedConfig(node.op, tiling, accumulated.bytes / ACCUMULATED_BYTES)] };
  });
  return { nodes: withEmbedding, weightStarts };
}
