/** A program's graph and kernels -> its nodes with resolved arguments, its buckets, and what lies in the arena. */
import { type Graph, reads, writes } from '../graph/graph.js';
import type { ProgramKind } from '../ir/programs.js';
import { tileRowsOf } from '../kernels/attend_rows.js';
import { kernelOf } from '../kernels/index.js';
import type { Scratch } from '../kernels/kernel.js';
import { ACCUMULATED } from '../kernels/router.js';
import { type BufferRequest, planBuffers } from './buffers.js';
import type { Caches } from './caches.js';
import type { Choice } from './choose.js';
import { type EdgeNode, planEdges } from './edges.js';
import type { KernelTable } from './kernel_table.js';
import { configOf, type LoweredNode } from './lowering.js';
import { oneAtATime } from './one_at_a_time.js';
import { DeviceMemory, valueBytes } from './places.js';
import type { PlannedBucket, PlannedNode, PlannedProgram } from './plan.js';
import { checkSettled } from './settled.js';
import type { StateLayout } from './state.js';

/** A program with the kernels that were chosen for it. */
export interface ChosenProgram {
  readonly program: ProgramKind;
  readonly graph: Graph;
  readonly choice: Choice;
}

/** What programs share. */
export interface Shared {
  readonly contextLength: number;
  readonly state: StateLayout;
  readonly caches: Caches;
  readonly kernels: KernelTable;
}

/** A program, and how much of the arena it takes. */
export function planProgram(
  { program, graph, choice }: ChosenProgram,
  shared: Shared,
): { readonly planned: PlannedProgram; readonly arenaBytes: number } {
  const buffers = requestBuffers(graph, choice, program);
  const arena = planBuffers(buffers);
  const memory = new DeviceMemory(choice, shared.state, arena, shared.caches, program);
  const nodes = planNodes(choice, memory, shared, program);
  const planned = {
    ...program,
    tileRows: Math.min(program.rows, tileRowsIn(choice)),
    logitsOffset: arena.offsets.get(graph.logits.name) ?? 0,
    nodes,
    buckets: planBuckets(choice, nodes, shared.kernels, program),
    buffers: buffers.map(({ name, bytes, firstUse, lastUse }) => ({
      name,
      offset: arena.offsets.get(name)!,
      bytes,
      firstNode: firstUse,
      lastNode: lastUse,
    })),
  };
  return { planned, arenaBytes: arena.totalBytes };
}

/** Every value, and a node's scratch memory, from the node that writes it to its last reader. */
function requestBuffers({ logits }: Graph, choice: Choice, program: ProgramKind): BufferRequest[] {
  const uses = new Map<string, { bytes: number; firstUse: number; lastUse: number }>();
  const use = (name: string, bytes: number, node: number) => {
    const known = uses.get(name);
    uses.set(name, { bytes, firstUse: known?.firstUse ?? node, lastUse: node });
  };
  const { accumulated, nodes } = choice;
  for (const [index, node] of nodes.entries()) {
    for (const value of [...reads(node.op).values, ...writes(node.op).values])
      if (!accumulated.values.has(value)) use(value.name, valueBytes(value, program, choice), index);
      else use(ACCUMULATED, accumulated.bytes, index);
    for (const scratch of scratchOf(node)) if (scratch.region === 'arena') use(scratch.name, scratch.bytes, index);
  }
  // The host reads the logits when the graph has ended.
  if (program.outputs > 0) use(logits.name, valueBytes(logits, program, choice), nodes.length - 1);
  return [...uses].map(([name, { bytes, firstUse, lastUse }]) => ({ name, bytes, firstUse, lastUse }));
}

/** Of all layers the least; 0 of programs that have no tiles. */
function tileRowsIn({ nodes }: Choice): number {
  const each = nodes.flatMap(({ op }) => (op.kind === 'attend_rows' ? [tileRowsOf(op)] : []));
  return each.length > 0 ? Math.min(...each) : 0;
}

/** Enough for whichever bucket's kernel runs. */
function scratchOf({ op, configs }: LoweredNode): readonly Scratch[] {
  return kernelOf(op).scratch(op, configs);
}

function planNodes(choice: Choice, memory: DeviceMemory, shared: Shared, program: ProgramKind): PlannedNode[] {
  const { contextLength, kernels } = shared;
  const effects = choice.nodes.map((node) => effectsOf(node, memory));
  checkSettled(choice.nodes, effects);
  const edges = planEdges(oneAtATime(effects));
  return choice.nodes.map((node, index): PlannedNode => {
    const { name, op } = node;
    const kernel = kernelOf(op);
    const kv = kernel.kv?.(op, contextLength);
    const flops = kernel.flops?.(op);
    const args = kernel.arguments(op, memory.placesOf(node, scratchOf(node)));
    const fields = args.map((argument) => argument.name);
    return {
      name,
      kernel: kernels.index(name, configOf(node)!, fields, program),
      args: args.flatMap((argument) => (argument.place ? [{ name: argument.name, ...argument.place }] : [])),
      after: edges[index]!,
      readBytes: kernel.readBytes(op, program),
      kvRowBytes: kv?.rowBytes ?? 0,
      kvPositions: kv?.positions ?? 0,
      rowFlops: flops?.row ?? 0,
      positionFlops: flops?.position ?? 0,
      about: kernel.about(op),
    };
  });
}

function effectsOf(node: LoweredNode, memory: DeviceMemory): EdgeNode {
  const written = [...memory.intervals(writes(node.op)), ...scratchOf(node).map((scratch) => memory.scratch(scratch))];
  return { reads: memory.intervals(reads(node.op)), writes: written, waits: true };
}

function planBuckets(
  choice: Choice,
  nodes: readonly PlannedNode[],
  kernels: KernelTable,
  program: ProgramKind,
): PlannedBucket[] {
  return choice.limits.map((positions, bucket) => {
    const replaced = choice.nodes.flatMap(({ name, configs }, node) => {
      const { fields } = kernels.kernels[nodes[node]!.kernel]!;
      return configs.length > 1 ? [{ node, kernel: kernels.index(name, configs[bucket]!, fields, program) }] : [];
    });
    return { positions, kernels: replaced.filter(({ node, kernel }) => nodes[node]!.kernel !== kernel) };
  });
}
