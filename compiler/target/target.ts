/** What the planner knows of the machine that the graph will run on. */
import { UsageError } from '../../runtime/common/errors.js';
import { architecture, sharedOf } from './architectures.js';
import { GPUS, type Gpu } from './gpus.js';

export interface Target {
  readonly kind: 'cuda' | 'host';
  /** nvcc names of the machine code to build, "sm_90a"; empty for the host. */
  readonly archs: readonly string[];
  /** The GPU that is planned for; null for the host. */
  readonly gpu: Gpu | null;
  /** Blocks that a streaming kernel is spread over. */
  readonly multiprocessors: number;
  /** The most shared memory a block may have, bytes. */
  readonly sharedBytes: number;
  readonly projection: {
    readonly warps: number;
    /** Of a block where each multiprocessor runs one projection at a time. */
    readonly alone: BlockMemory;
    /** Of blocks that run two a multiprocessor (see CoResident); null where there is no room for them. */
    readonly coResident: CoResident | null;
    /**
     * Of each block of a later projection, what one brings into L2 (prefetch_l2.ts): as much as comes in the time of a short
     * node. Blocks of two nodes side by side ask early enough without it.
     */
    readonly l2PrefetchBytes: number;
    /**
     * Cycles that the projection after attention reads for at least, where the next one fills its pipelines before it waits:
     * while a shorter one runs, that takes too long.
     */
    readonly prefetchCycles: number;
    readonly cost: {
      /** Bytes that a multiprocessor streams in a cycle, and how many times fewer where slots are no whole lines. */
      readonly bytesPerCycle: number;
      readonly ragged: number;
      /** Cycles that a warp spends on a slot besides its steps: waiting, reducing, asking for the next. */
      readonly slot: number;
      /** Cycles of a step: a unit of 32 columns a lane. */
      readonly step: number;
      /** Cycles for 32 columns of a warp's input: it comes from memory that all multiprocessors read at once. */
      readonly input: number;
    };
  };
  readonly attention: {
    readonly warps: number;
    /** Positions of the context that are worth a block of their own. */
    readonly minSplit: number;
    /** At most 8, which is what a tile of the tensor cores has. */
    readonly maxHeadsPerBlock: number;
    /** The longest context of the first bucket; each further one is twice as long. And the most buckets. */
    readonly firstBucket: number;
    readonly maxBuckets: number;
    /** The most stages of a warp's pipeline, a chunk each, and what a block has of shared memory at most, bytes. */
    readonly stages: number;
    readonly mostShared: number;
    /** Microseconds. */
    readonly cost: {
      /** Of a block, for each of its heads. */
      readonly head: number;
      /** For a byte of the cache that one block reads, and for one of all that are read. */
      readonly blockByte: number;
      readonly byte: number;
      /** To add splits up, and for each split of each head. */
      readonly combine: number;
      readonly combineHead: number;
    };
  };
  /** Of the node that chooses the token. */
  readonly select: {
    readonly threads: number;
    /** The most blocks. They wait for each other, so all must be resident at once. */
    readonly blocks: number;
    /** Tokens of the vocabulary that are worth a block of their own. */
    readonly minTokens: number;
  };
  readonly experts: {
    readonly warps: number;
    /** The largest slot, of all matrices together, and one block's pipelines together, bytes. */
    readonly slotBytes: number;
    readonly stagesBytes: number;
    /**
     * Bytes that a block asks for before it waits for the node before it, where it knows the experts by then; one slot a
     * warp is not more, where it can be. What a multiprocessor has asked for is in the way of that node's end.
     */
    readonly prefetchBytes: number;
    /**
     * Shared memory that a block asks for at least: more than half of a multiprocessor's, so that each runs one. Smaller
     * blocks are packed onto few.
     */
    readonly aloneBytes: number;
    /** Rows that a group may have. */
    readonly groupRows: readonly number[];
    /** Cycles: bytes that a multiprocessor streams in one; that a warp spends on an item, a slot, and 32 columns a lane. */
    readonly cost: {
      readonly bytesPerCycle: number;
      readonly item: number;
      readonly slot: number;
      readonly step: number;
    };
  };
}

/** How a projection's block uses shared memory, bytes. */
export interface BlockMemory {
  /** The largest slot, and a block's pipelines together. */
  readonly slotBytes: number;
  readonly stagesBytes: number;
  /**
   * What a block asks for at once before it waits for the node before it: what memory delivers to a multiprocessor in one
   * latency, or twice that where the block comes late. The input queues behind it, and what the nodes before still need.
   */
  readonly prefetchBytes: number;
  /**
   * Shared memory that a block has at most, and asks for at least. The least decides how many blocks a multiprocessor
   * runs: small ones are packed, several to those that the node before leaves first.
   */
  readonly mostShared: number;
  readonly leastShared: number;
}

/**
 * Where all that the projections around attention read fits into their pipelines, they ask for all of it before they wait and
 * let the next node be scheduled at once: it arrives while the nodes before them run. Sizes are such that a multiprocessor has room for one
 * block of each of two nodes that follow each other, and never for two of the same.
 */
export interface CoResident extends BlockMemory {
  /** Of a projection whose stages hold all that its block reads. */
  readonly holdsAll: { readonly mostShared: number; readonly leastShared: number };
  /** The most that one after attention has, beside which the next one wants room for its pipelines. */
  readonly mostAfterAttention: number;
  /** Of attention, which has a block on every multiprocessor to keep the places. */
  readonly attentionShared: number;
}

/**
 * The most shared memory, bytes, of a block beside another one: a multiprocessor has 1 KiB more than a block may ask for,
 * and each block takes as much.
 */
export const mostBeside = (sharedBytes: number, other: number): number => sharedBytes - 1024 - other;

/**
 * Solved for decode rates of an H100 at depths from 0 to 4096: llama-1b, llama-8b and qwen2-0.5b with one, two, four and
 * seven heads a block (docs/lab/2026-11-28-h100.md, "Attention").
 */
const ATTENTION_COST = { head: 0.06, blockByte: 1.8e-5, byte: 3.4e-7, combine: 2.6, combineHead: 0.0134 };
/**
 * Of 228 KiB, of which each block takes 1 KiB more than it asks for: 141 + 85 or 87 + 100 fit together, and no two of 70
 * beside 87.
 */
const CO_RESIDENT: CoResident = {
  slotBytes: 3712,
  stagesBytes: 139264,
  prefetchBytes: 36864,
  mostShared: 141 * 1024,
  leastShared: 116 * 1024,
  holdsAll: { mostShared: 100 * 1024, leastShared: 70 * 1024 },
  mostAfterAttention: 85 * 1024,
  attentionShared: 87 * 1024,
};

/** The part that all costs below were fitted on; an H200 runs the same plans, and ran them as fast as others that were tried. */
const FITTED = partOf('H100 SXM');

function partOf(name: string): Gpu {
  const found = GPUS.find((part) => part.name === name);
  if (!found) throw new Error(`no GPU ${name} in the table`);
  const { aliases: _, source: __, ...gpu } = found;
  return gpu;
}

/** What a plan is made for where nobody says which GPU: the largest part of the first architecture. */
export function largestOf(archs: readonly string[]): Gpu {
  const [first] = archs;
  if (first === undefined) throw new UsageError('no GPU architecture named; try --arch sm_90a');
  return partOf(architecture(first).largest);
}

/**
 * How many times as fast as an H100 does a GPU bring bytes, all of them together (in a second) and one multiprocessor (in a
 * cycle)? Hopper's parts of 132 multiprocessors count as H100s: what was measured on an H100 and an H200 stays as it is.
 */
function paceOf(gpu: Gpu): { all: number; multiprocessor: number } {
  if (gpu.capability === FITTED.capability && gpu.multiprocessors === FITTED.multiprocessors)
    return { all: 1, multiprocessor: 1 };
  const perCycle = ({ bandwidth, multiprocessors, clock }: Gpu) => bandwidth / multiprocessors / clock;
  return { all: gpu.bandwidth / FITTED.bandwidth, multiprocessor: perCycle(gpu) / perCycle(FITTED) };
}

/** What a block brings into L2 for a later node, where all blocks' together are a quarter of it at most. */
const aheadOf = ({ l2Bytes, multiprocessors }: Gpu): number =>
  Math.min(36864, Math.floor(l2Bytes / 4 / multiprocessors / 128) * 128);

/**
 * One plan serves every named architecture: the GPU sets the grid, the smallest shared memory the limit. It runs on every GPU
 * of these architectures. Errors: UsageError for names that are unknown or do not go together.
 */
export function cudaTarget(archs: readonly string[], gpu: Gpu = largestOf(archs)): Target {
  const known = archs.map(architecture);
  if (new Set(archs).size !== archs.length) throw new UsageError(`an architecture is named twice: ${archs.join(',')}`);
  const sharedBytes = Math.min(gpu.sharedBytes, ...known.map(({ capability }) => (sharedOf(capability) - 1) * 1024));
  const pace = paceOf(gpu);
  const bytesPerCycle = 13.4 * pace.multiprocessor;
  return {
    kind: 'cuda',
    archs,
    gpu,
    multiprocessors: gpu.multiprocessors,
    sharedBytes,
    projection: {
      warps: 16,
      alone: {
        slotBytes: 4736,
        stagesBytes: 139264,
        prefetchBytes: 81920,
        mostShared: sharedBytes,
        leastShared: sharedBytes / 2 + 1024,
      },
      coResident: Math.min(sharedBytes, gpu.sharedPerMultiprocessor - 1024) >= 227 * 1024 ? CO_RESIDENT : null,
      l2PrefetchBytes: aheadOf(gpu),
      prefetchCycles: 900,
      // One H100: 3.1 TB/s over 132 multiprocessors at 1.75 GHz.
      cost: { bytesPerCycle, ragged: 1.03, slot: 100, step: 30, input: 4 },
    },
    attention: {
      warps: 8,
      minSplit: 32,
      maxHeadsPerBlock: 8,
      firstBucket: 128,
      maxBuckets: 4,
      stages: 4,
      mostShared: sharedBytes,
      cost: { ...ATTENTION_COST, byte: ATTENTION_COST.byte / pace.all },
    },
    select: { threads: 512, blocks: Math.min(32, ...known.map(({ fewest }) => fewest)), minTokens: 2048 },
    experts: {
      warps: 16,
      slotBytes: 4608,
      stagesBytes: 81920,
      prefetchBytes: 49152,
      aloneBytes: sharedBytes / 2 + 1024,
      groupRows: [1, 2, 4, 8],
      cost: { bytesPerCycle, item: 150, slot: 100, step: 30 },
    },
  };
}

const HOST_MEMORY = { slotBytes: 2048, stagesBytes: 16384, prefetchBytes: 4096, leastShared: 0 };

/**
 * The simulator. Few threads, because each is a fiber; small slots and splits, so that short tests go through pipelines,
 * chunks and splits as long contexts and wide models do on a GPU.
 */
export function hostTarget(): Target {
  return {
    kind: 'host',
    archs: [],
    gpu: null,
    multiprocessors: 4,
    sharedBytes: 227 * 1024,
    projection: {
      warps: 3,
      alone: { ...HOST_MEMORY, mostShared: 227 * 1024 },
      coResident: {
        ...HOST_MEMORY,
        prefetchBytes: 1024,
        mostShared: 227 * 1024,
        holdsAll: { mostShared: 24 * 1024, leastShared: 0 },
        mostAfterAttention: 24 * 1024,
        attentionShared: 32 * 1024,
      },
      l2PrefetchBytes: 1024,
      prefetchCycles: 0,
      cost: { bytesPerCycle: 1, ragged: 1, slot: 100, step: 30, input: 4 },
    },
    attention: {
      warps: 2,
      minSplit: 12,
      maxHeadsPerBlock: 8,
      firstBucket: 12,
      maxBuckets: 2,
      stages: 2,
      mostShared: 12 * 1024,
      cost: { head: 1, blockByte: 0.01, byte: 0, combine: 3, combineHead: 0 },
    },
    select: { threads: 64, blocks: 4, minTokens: 64 },
    experts: {
      warps: 3,
      slotBytes: 2048,
      stagesBytes: 16384,
      prefetchBytes: 4096,
      aloneBytes: 0,
      groupRows: [1, 2, 4, 8],
      cost: { bytesPerCycle: 1, item: 150, slot: 100, step: 30 },
    },
  };
}
