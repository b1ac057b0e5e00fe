/**
 * The plan: everything that the emitted source and the runtime know of a model, as plain data. It is written to
 * plan.json, so its shape is a contract; docs/plan.md describes it and PLAN_VERSION counts its changes.
 */

import type { GgmlType } from '../../runtime/files/ggml.js';
import type { Part } from '../../runtime/files/parts.js';
import { type LeftOut, type ProgramKind, programLabel, TOKEN } from '../ir/programs.js';
import { kvPages } from '../kernels/attend/config.js';
import type { KernelConfig } from '../kernels/index.js';
import type { Launch, Place, Region, Table } from '../kernels/kernel.js';
import type { Gpu } from '../target/gpus.js';
import type { PlannedCache, PlannedPages } from './caches.js';
import type { Edge } from './edges.js';
import type { PlannedLoader, PlannedTensor } from './loaders.js';
import type { StateRegion } from './state.js';

export const PLAN_VERSION = 12;

export interface PlannedKernel {
  /** C identifier, also the name in the module. */
  readonly symbol: string;
  readonly config: KernelConfig;
  /** Of its argument struct, in order. */
  readonly fields: readonly string[];
  readonly launch: Launch;
  /** Of f32, that its shape reads: frequencies of rope. */
  readonly tables: readonly Table[];
}

/** What a field of the kernel's argument struct points to. */
export interface PlannedArgument extends Place {
  readonly name: string;
}

export interface PlannedNode {
  /** llama.cpp's name of what the node computes, "blk.0.ffn_inp". */
  readonly name: string;
  /** Index into kernels. */
  readonly kernel: number;
  /** In the order of the kernel's fields; those that are not here are null. */
  readonly args: readonly PlannedArgument[];
  readonly after: readonly Edge[];
  /** Its part of memory.tokenReadBytes and memory.kvRowBytes. */
  readonly readBytes: number;
  readonly kvRowBytes: number;
  /** Of how many positions, the newest, it reads kvRowBytes at most: the window's or the context's; 0 where it reads none. */
  readonly kvPositions: number;
  /** Floating-point operations of products: for each row of a step, and for each of the kvPositions that it attends to. */
  readonly rowFlops: number;
  readonly positionFlops: number;
  /** One line for a reader: operation and shapes. */
  readonly about: string;
}

/** Steps that attend to at most so many positions run these kernels in place of their nodes' own. */
export interface PlannedBucket {
  readonly positions: number;
  /** By ascending node; all take their node's arguments. */
  readonly kernels: readonly { readonly node: number; readonly kernel: number }[];
}

export interface PlannedBuffer {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly firstNode: number;
  readonly lastNode: number;
}

/** What steps of a kind run; `outputs` of its `rows` have their logits computed. */
export interface PlannedProgram extends ProgramKind {
  /** The most rows of a tile, which is what one slot's rows of a step are cut into for attention; 0 without such tiles. */
  readonly tileRows: number;
  /** In the arena, f32[outputs][vocabSize]. */
  readonly logitsOffset: number;
  /** In an order that respects the edges. */
  readonly nodes: readonly PlannedNode[];
  /** Shorter contexts, ascending; longer ones than all run the nodes as they are. */
  readonly buckets: readonly PlannedBucket[];
  /** What lies in the arena while it runs. */
  readonly buffers: readonly PlannedBuffer[];
}

export interface PlannedStatePart {
  readonly part: string;
  readonly region: StateRegion;
  /** Of a slot's part: from the slot's start. */
  readonly offset: number;
  /** 0 where the model needs none. */
  readonly bytes: number;
}

export interface Plan {
  readonly version: typeof PLAN_VERSION;
  readonly compilerVersion: string;
  readonly target: {
    readonly kind: 'cuda' | 'host';
    readonly archs: readonly string[];
    /** What was planned for; absent for the host. It runs on every GPU of the architectures. */
    readonly gpu?: Gpu;
  };
  readonly model: {
    readonly name: string;
    readonly architecture: string;
    readonly vocabSize: number;
    readonly contextLength: number;
    readonly embeddingLength: number;
    readonly feedForwardLength: number;
    readonly layerCount: number;
    readonly headCount: number;
    readonly headCountKv: number;
    readonly headSize: number;
    readonly fileBytes: number;
    readonly headerBytes: number;
    readonly headerSha256: string;
    /** Of a model that is split over several files, the files in order; absent where it is one. */
    readonly parts?: readonly Part[];
  };
  readonly memory: {
    readonly weightsBytes: number;
    /** Of one session, at the full context. */
    readonly kvCacheBytes: number;
    /** Of one session, for the program that needs most. */
    readonly arenaBytes: number;
    readonly stateBytes: number;
    /** From a slot to the next: a session has one. */
    readonly slotBytes: number;
    /** Weights that one token reads. */
    readonly tokenReadBytes: number;
    /** KV cache of one position, all layers. A token reads it of each that it attends to; see the nodes' kvPositions. */
    readonly kvRowBytes: number;
  };
  /** Of all programs, which share tensors and caches too. */
  readonly kernels: readonly PlannedKernel[];
  /** The token program first. */
  readonly programs: readonly [PlannedProgram, ...PlannedProgram[]];
  /** Programs of many rows that this model has not. */
  readonly leftOut: readonly LeftOut[];
  readonly caches: readonly PlannedCache[];
  /** What a page has of each kind: of caches whose layers see all positions, and of those with windows. */
  readonly pages: readonly [PlannedPages, PlannedPages];
  /** Parts of the regions state and slots. */
  readonly state: readonly PlannedStatePart[];
  /** Kernels that bring tensors to the device. */
  readonly loaders: readonly PlannedLoader[];
  readonly tensors: readonly PlannedTensor[];
  /** Tensor types that need a repack kernel, in ggml's order. */
  readonly formats: readonly GgmlType[];
}

/** Stable JSON: keys in the order of the types, two spaces, a newline at the end. */
export function planJson(plan: Plan): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

/** The rules that the emitted source relies on. A broken one is a defect of the compiler. */
export function verifyPlan(plan: Plan): Plan {
  const need: Need = (holds, rule) => {
    if (!holds) throw new Error(`plan: ${rule}`);
  };
  const bytes: Record<Region, number> = {
    weights: plan.memory.weightsBytes,
    arena: plan.memory.arenaBytes,
    kv_cache: plan.pages[0].bytes,
    kv_window: plan.pages[1].bytes,
    state: plan.memory.stateBytes,
    slots: plan.memory.slotBytes,
  };
  for (const [region, size] of Object.entries(bytes))
    need(Number.isSafeInteger(size) && (size > 0 || region.startsWith('kv_')), `${region} has ${size} bytes`);
  const ofPositions = kvPages(plan.model.contextLength) * (bytes.kv_cache + bytes.kv_window);
  need(plan.memory.kvCacheBytes === ofPositions, `the pages of the context have ${ofPositions} bytes`);
  need(new Set(plan.kernels.map((k) => k.symbol)).size === plan.kernels.length, 'two kernels share a symbol');
  const labels = plan.programs.map(programLabel);
  need(new Set(labels).size === labels.length, 'two programs have the same name and rows');
  need(labels[0] === TOKEN.name, 'the first program is not that of a token');
  for (const program of plan.programs) verifyProgram(plan, program, bytes, need);
  for (const { id, region, offset, bytes: own } of plan.caches)
    need(own > 0 && offset + own <= bytes[region], `cache ${id} leaves a page of ${region}`);
  for (const { part, region, offset, bytes: own } of plan.state)
    need(offset + own <= bytes[region], `${part} leaves the region ${region}`);
  for (const { name, loader, deviceOffset, deviceBytes, fileOffset, fileBytes } of plan.tensors) {
    need(loader === null || plan.loaders[loader] !== undefined, `${name} names loader ${loader}`);
    need(deviceOffset >= 0 && deviceOffset + deviceBytes <= bytes.weights, `${name} leaves the weights region`);
    need(
      fileOffset >= plan.model.headerBytes && fileOffset + fileBytes <= plan.model.fileBytes,
      `${name} leaves the file`,
    );
  }
  return plan;
}

type Need = (holds: boolean, rule: string) => void;

function verifyProgram(
  plan: Plan,
  { name, rows, outputs, tileRows, logitsOffset, nodes, buckets, buffers }: PlannedProgram,
  bytes: Readonly<Record<Region, number>>,
  need: Need,
): void {
  need(nodes.length > 0, 'no nodes');
  need(outputs > 0 === rows > 0 && outputs <= rows, `${outputs} of ${rows} rows have logits`);
  need(tileRows > 0 === rows > 1, `tiles of ${tileRows} of ${rows} rows`);
  need(logitsOffset + 4 * outputs * plan.model.vocabSize <= bytes.arena, 'the logits leave the arena');
  for (const { name, offset, bytes: own } of buffers)
    need(own > 0 && offset + own <= bytes.arena, `${name} leaves the arena`);
  for (const [ofNode, ofToken] of [
    ['readBytes', 'tokenReadBytes'],
    ['kvRowBytes', 'kvRowBytes'],
  ] as const)
    need(
      name !== TOKEN.name || nodes.reduce((total, node) => total + node[ofNode], 0) === plan.memory[ofToken],
      `the nodes' ${ofNode} are not ${ofToken} together`,
    );
  need(new Set(nodes.map((n) => n.name)).size === nodes.length, 'two nodes share a name');
  for (const [index, node] of nodes.entries()) {
    need(plan.kernels[node.kernel] !== undefined, `${node.name} names kernel ${node.kernel}`);
    for (const { from } of node.after) need(from >= 0 && from < index, `${node.name} comes after node ${from}`);
    need(index === 0 || node.after.length > 0, `${node.name} depends on nothing`);
    need(
      node.kvRowBytes > 0 === node.kvPositions > 0 && node.kvPositions <= plan.model.contextLength,
      `${node.name} reads ${node.kvRowBytes} bytes of ${node.kvPositions} positions`,
    );
    const { fields } = plan.kernels[node.kernel]!;
    const given = node.args.map(({ name }) => name);
    need(
      fields.filter((field) => given.includes(field)).join() === given.join(),
      `${node.name} has arguments ${given.join(', ')} of a kernel with fields ${fields.join(', ')}`,
    );
    for (const { name, region, offset } of node.args)
      need(
        offset >= 0 && offset % 4 === 0 && offset < bytes[region],
        `${node.name}: ${name} points to ${region} + ${offset}`,
      );
  }
  for (const [index, { positions, kernels }] of buckets.entries()) {
    need(
      positions > (buckets[index - 1]?.positions ?? 0) && positions < plan.model.contextLength,
      `bucket ${index} of ${positions} positions is out of order`,
    );
    for (const [i, { node, kernel }] of kernels.entries())
      need(
        node > (kernels[i - 1]?.node ?? -1) &&
          plan.kernels[kernel]?.config.kind === plan.kernels[nodes[node]?.kernel ?? -1]?.config.kind,
        `bucket ${index} has kernel ${kernel} for node ${node}`,
      );
  }
}
