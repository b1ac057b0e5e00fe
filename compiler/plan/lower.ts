/** Fused graphs -> plan: kernels (choose.ts), programs (plan_program.ts), and what they share. */

import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { sum } from '../arithmetic.js';
import type { Graph } from '../graph/graph.js';
import { type LeftOut, LOAD, type ProgramKind, TOKEN } from '../ir/programs.js';
import { largestFor } from '../kernels/matmul/largest.js';
import type { ModelSpec } from '../model/spec.js';
import type { Target } from '../target/target.js';
import { contextBytes, planCaches } from './caches.js';
import { chooseKernels } from './choose.js';
import { KernelTable } from './kernel_table.js';
import { planLoaders } from './loaders.js';
import { PLAN_VERSION, type Plan, verifyPlan } from './plan.js';
import { planProgram } from './plan_program.js';
import { slotLayout, stateLayout } from './state.js';
import type { TargetOf } from './tuning.js';
import { WeightPlanner } from './weights.js';

export interface LowerOptions {
  readonly contextLength: number;
  readonly compilerVersion: string;
  /** Default: the target as it is for every kernel. */
  readonly targetOf?: TargetOf | undefined;
  /** Programs of many rows, and the graph that all of them run. */
  readonly manyRows?: { readonly programs: readonly ProgramKind[]; readonly graph: Graph } | undefined;
  readonly leftOut?: readonly LeftOut[] | undefined;
}

/** `graph`: of the token program. */
export function lower(spec: ModelSpec, graph: Graph, target: Target, options: LowerOptions): Plan {
  const { contextLength, compilerVersion, targetOf = () => target, manyRows, leftOut = [] } = options;
  const { vocabSize } = spec;
  const weights = new WeightPlanner();
  const caches = planCaches(graph, contextLength);
  const slot = slotLayout(contextLength, caches);
  const { slotBytes } = slot;
  const choose = (program: ProgramKind, graph: Graph) => ({
    ...{ program, graph },
    choice: chooseKernels(graph, {
      ...{ target, targetOf, program, contextLength, vocabSize, weights },
      ...{ caches, slotBytes },
    }),
  });
  const ofToken = choose(TOKEN, graph);
  const others = manyRows?.programs.map((program) => choose(program, manyRows.graph)) ?? [];
  if (manyRows) others.push(choose(LOAD, loading(manyRows.graph)));
  const { meetingBytes } = ofToken.choice;
  const state = stateLayout(slot, { vocabSize, meetingBytes, programs: manyRows?.programs ?? [] });
  const kernels = new KernelTable(target);
  const shared = { contextLength, state, caches, kernels };
  const token = planProgram(ofToken, shared);
  const rest = others.map((program) => planProgram(program, shared));
  const formats = formatsOf(weights.tensors);
  return verifyPlan({
    version: PLAN_VERSION,
    compilerVersion,
    target: { kind: target.kind, archs: target.archs, ...(target.gpu && { gpu: target.gpu }) },
    model: {
      name: spec.name,
      architecture: spec.architecture,
      vocabSize,
      contextLength,
      embeddingLength: spec.embeddingLength,
      feedForwardLength: spec.feedForwardLength,
      layerCount: spec.layers.length,
      headCount: spec.headCount,
      headCountKv: spec.headCountKv,
      headSize: spec.headSize,
      fileBytes: spec.file.bytes,
      headerBytes: spec.file.headerBytes,
      headerSha256: spec.file.headerSha256,
      ...((spec.file.parts.length > 1 || spec.file.parts[0]?.name !== undefined) && { parts: spec.file.parts }),
    },
    memory: {
      weightsBytes: weights.totalBytes,
      kvCacheBytes: contextBytes(caches, contextLength),
      arenaBytes: Math.max(...[token, ...rest].map(({ arenaBytes }) => arenaBytes)),
      stateBytes: state.stateBytes,
      slotBytes,
      tokenReadBytes: sum(token.planned.nodes.map((node) => node.readBytes)),
      kvRowBytes: sum(token.planned.nodes.map((node) => node.kvRowBytes)),
    },
    kernels: kernels.kernels,
    ...caches,
    programs: [token.planned, ...rest.map(({ planned }) => planned)],
    leftOut,
    state: Object.entries(state.parts).map(([part, { region, start, end }]) => ({
      ...{ part, region, offset: start, bytes: end - start },
    })),
    ...planLoaders(weights.tensors, formats),
    formats,
  });
}

/** What products of many rows want to know of their matrices. */
const loading = (graph: Graph): Graph => ({
  ...graph,
  ops: graph.ops.flatMap((op) => (op.kind === 'matmul' ? [largestFor(op)] : [])),
});

function formatsOf(tensors: readonly { type: GgmlType }[]): GgmlType[] {
  return [...new Set(tensors.map(({ type }) => type))].sort((a, b) => GGML_TYPES[a].id - GGML_TYPES[b].id);
}
