/** Fused graph -> plan: kernels (choose.ts), nodes with resolved arguments, memory with offsets. */

import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { sum } from '../arithmetic.js';
import { cachesOf, type Graph, reads, writes } from '../graph/graph.js';
import { TOKEN } from '../ir/programs.js';
import { kernelOf } from '../kernels/index.js';
import type { Scratch } from '../kernels/kernel.js';
import { GATHERED } from '../kernels/router.js';
import type { ModelSpec } from '../model/spec.js';
import type { Target } from '../target/target.js';
import { type BufferRequest, planBuffers } from './buffers.js';
import { planCaches } from './caches.js';
import { type Choice, chooseKernels } from './choose.js';
import { type EdgeNode, planEdges } from './edges.js';
import { KernelTable } from './kernel_table.js';
import { planLoaders } from './loaders.js';
import { configOf, type LoweredNode } from './lowering.js';
import { oneAtATime } from './one_at_a_time.js';
import { DeviceMemory, valueBytes } from './places.js';
import { PLAN_VERSION, type Plan, type PlannedBucket, type PlannedNode, verifyPlan } from './plan.js';
import { checkSettled } from './settled.js';
import { stateLayout } from './state.js';
import type { TargetOf } from './tuning.js';

export interface LowerOptions {
  readonly contextLength: number;
  readonly compilerVersion: string;
  /** Default: the target as it is for every kernel. */
  readonly targetOf?: TargetOf | undefined;
}

export function lower(spec: ModelSpec, graph: Graph, target: Target, options: LowerOptions): Plan {
  const { contextLength, compilerVersion, targetOf = () => target } = options;
  const choice = chooseKernels(graph, { target, targetOf, program: TOKEN, contextLength, vocabSize: spec.vocabSize });
  const buffers = requestBuffers(graph, choice);
  const arena = planBuffers(buffers);
  const state = stateLayout(contextLength, spec.vocabSize, choice.meetingBytes);
  const caches = planCaches(cachesOf(graph), contextLength);
  const memory = new DeviceMemory(choice, state, arena, caches, TOKEN);
  const kernels = new KernelTable(target);
  const nodes = planNodes(choice, memory, kernels, contextLength);
  const buckets = planBuckets(choice, nodes, kernels);
  const formats = formatsOf(choice.weights.tensors);
  return verifyPlan({
    version: PLAN_VERSION,
    compilerVersion,
    target: { kind: target.kind, archs: target.archs, ...(target.gpu && { gpu: target.gpu }) },
    model: {
      name: spec.name,
      architecture: spec.architecture,
      vocabSize: spec.vocabSize,
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
      weightsBytes: choice.weights.totalBytes,
      kvCacheBytes: sum(caches.map(({ bytes }) => bytes)),
      arenaBytes: arena.totalBytes,
      stateBytes: state.totalBytes,
      logitsOffset: arena.offsets.get(graph.logits.name)!,
      tokenReadBytes: sum(nodes.map((node) => node.readBytes)),
      kvRowBytes: sum(nodes.map((node) => node.kvRowBytes)),
    },
    kernels: kernels.kernels,
    caches,
    programs: [
      {
        ...TOKEN,
        nodes,
        buckets,
        buffers: buffers.map(({ name, bytes, firstUse, lastUse }) => ({
          name,
          offset: arena.offsets.get(name)!,
          bytes,
          firstNode: firstUse,
          lastNode: lastUse,
        })),
      },
    ],
    state: Object.entries(state.parts).map(([part, { start, end }]) => ({ part, offset: start, bytes: end - start })),
    ...planLoaders(choice.weights.tensors, formats),
    formats,
  });
}

/** Every value, and a node's scratch memory, from the node that writes it to its last reader. */
function requestBuffers({ logits }: Graph, choice: Choice): BufferRequest[] {
  const uses = new Map<string, { bytes: number; firstUse: number; lastUse: number }>();
  const use = (name: string, bytes: number, node: number) => {
    const known = uses.get(name);
    uses.set(name, { bytes, firstUse: known?.firstUse ?? node, lastUse: node });
  };
  const { gathered, nodes } = choice;
  for (const [index, node] of nodes.entries()) {
    for (const value of [...reads(node.op).values, ...writes(node.op).values])
      if (!gathered.values.has(value)) use(value.name, valueBytes(value, TOKEN, choice), index);
      else use(GATHERED, gathered.bytes, index);
    for (const scratch of scratchOf(node)) if (scratch.region === 'arena') use(scratch.name, scratch.bytes, index);
  }
  // The host reads the logits when the graph has ended.
  use(logits.name, valueBytes(logits, TOKEN, choice), nodes.length - 1);
  return [...uses].map(([name, { bytes, firstUse, lastUse }]) => ({ name, bytes, firstUse, lastUse }));
}

/** Enough for whichever bucket's kernel runs. */
function scratchOf({ op, configs }: LoweredNode): readonly Scratch[] {
  return kernelOf(op).scratch(op, configs);
}

function planNodes(choice: Choice, memory: DeviceMemory, kernels: KernelTable, contextLength: number): PlannedNode[] {
  const effects = choice.nodes.map((node) => effectsOf(node, memory));
  checkSettled(choice.nodes, effects);
  const edges = planEdges(oneAtATime(effects));
  return choice.nodes.map((node, index): PlannedNode => {
    const { name, op } = node;
    const kernel = kernelOf(op);
    const kv = kernel.kv?.(op, contextLength);
    const args = kernel.arguments(op, memory.placesOf(node, scratchOf(node)));
    const fields = args.map((argument) => argument.name);
    return {
      name,
      kernel: kernels.index(name, configOf(node)!, fields),
      args: args.flatMap((argument) => (argument.place ? [{ name: argument.name, ...argument.place }] : [])),
      after: edges[index]!,
      readBytes: kernel.readBytes(op),
      kvRowBytes: kv?.rowBytes ?? 0,
      kvPositions: kv?.positions ?? 0,
      about: kernel.about(op),
    };
  });
}

function effectsOf(node: LoweredNode, memory: DeviceMemory): EdgeNode {
  const written = [...memory.intervals(writes(node.op)), ...scratchOf(node).map((scratch) => memory.scratch(scratch))];
  return { reads: memory.intervals(reads(node.op)), writes: written, waits: true };
}

function planBuckets(choice: Choice, nodes: readonly PlannedNode[], kernels: KernelTable): PlannedBucket[] {
  return choice.limits.map((positions, bucket) => {
    const replaced = choice.nodes.flatMap(({ name, configs }, node) => {
      const { fields } = kernels.kernels[nodes[node]!.kernel]!;
      return configs.length > 1 ? [{ node, kernel: kernels.index(name, configs[bucket]!, fields) }] : [];
    });
    return { positions, kernels: replaced.filter(({ node, kernel }) => nodes[node]!.kernel !== kernel) };
  });
}

function formatsOf(tensors: readonly { type: GgmlType }[]): GgmlType[] {
  return [...new Set(tensors.map(({ type }) => type))].sort((a, b) => GGML_TYPES[a].id - GGML_TYPES[b].id);
}
