/** What the planner knows of the machine that the graph will run on. */
import { CompileError } from '../errors.js';

export interface Target {
  readonly kind: 'cuda' | 'host';
  /** nvcc names of the machine code to build, "sm_90a"; empty for the host. */
  readonly archs: readonly string[];
  /** Blocks that a streaming kernel is spread over. */
  readonly multiprocessors: number;
  /** The most shared memory a block may have, bytes. */
  readonly sharedBytes: number;
  readonly projection: {
    readonly warps: number;
    /** Blocks that registers must allow on a multiprocessor: with several, the nodes ahead fill their rings early. */
    readonly blocksPerMultiprocessor: number;
    /** Bytes of one matrix's slot to aim for, and of one block's rings together. */
    readonly slotBytes: number;
    readonly ringBytes: number;
    /**
     * Bytes a block asks for before it waits for the node before it: what memory delivers to a multiprocessor in one
     * latency. More does not arrive sooner, and the input queues behind it.
     */
    readonly earlyBytes: number;
    /** Rows that a group may have. */
    readonly groupRows: readonly number[];
    readonly cost: {
      /** Bytes that a multiprocessor streams in a cycle. */
      readonly bytesPerCycle: number;
      /** Cycles that a warp spends on a group besides its rows: waiting, reducing, storing. */
      readonly group: number;
      /** Cycles that a warp spends on a row's unit of 32 columns a lane. */
      readonly unit: number;
    };
  };
  readonly attention: {
    readonly warps: number;
    /** Positions of the context that are worth a block of their own, and those that one block does sooner than several that add up. */
    readonly minSplit: number;
    readonly whole: number;
    readonly maxHeadsPerBlock: number;
    /** Keys and values of a tile in shared memory, bytes, and tiles of a block's ring. */
    readonly stageBytes: number;
    readonly stages: number;
  };
  /** Of the one block that chooses the token. */
  readonly selectThreads: number;
  readonly experts: {
    readonly warps: number;
    /** The largest slot, of all matrices together, and one block's rings together, bytes. */
    readonly slotBytes: number;
    readonly ringBytes: number;
    /** Bytes a block asks for before it waits for the node before it, where it knows the experts by then. */
    readonly earlyBytes: number;
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

interface Gpu {
  readonly multiprocessors: number;
  readonly sharedKiB: number;
}

/** Data-centre or largest consumer part of each architecture; shared memory from the CUDA programming guide, table of compute capabilities. */
const GPUS: Record<string, Gpu> = {
  sm_80: { multiprocessors: 108, sharedKiB: 163 },
  sm_86: { multiprocessors: 82, sharedKiB: 99 },
  sm_87: { multiprocessors: 16, sharedKiB: 163 },
  sm_89: { multiprocessors: 128, sharedKiB: 99 },
  sm_90: { multiprocessors: 132, sharedKiB: 227 },
  sm_90a: { multiprocessors: 132, sharedKiB: 227 },
  sm_100: { multiprocessors: 148, sharedKiB: 227 },
  sm_100a: { multiprocessors: 148, sharedKiB: 227 },
  sm_120: { multiprocessors: 170, sharedKiB: 99 },
  sm_120a: { multiprocessors: 170, sharedKiB: 99 },
};

/** One plan serves every named architecture: the first sets the grid, the smallest shared memory the limit. */
export function cudaTarget(archs: readonly string[]): Target {
  for (const arch of archs)
    if (!Object.hasOwn(GPUS, arch))
      throw new CompileError(
        `unknown GPU architecture ${JSON.stringify(arch)}; known are ${Object.keys(GPUS).join(', ')}`,
      );
  if (new Set(archs).size !== archs.length)
    throw new CompileError(`an architecture is named twice: ${archs.join(',')}`);
  const first = archs[0];
  if (first === undefined) throw new CompileError('no GPU architecture named; try --arch sm_90a');
  const sharedBytes = Math.min(...archs.map((arch) => GPUS[arch]!.sharedKiB)) * 1024;
  return {
    kind: 'cuda',
    archs,
    multiprocessors: GPUS[first]!.multiprocessors,
    sharedBytes,
    projection: {
      warps: 16,
      blocksPerMultiprocessor: 1,
      slotBytes: 4608,
      ringBytes: 139264,
      earlyBytes: 36864,
      groupRows: [1, 2, 4],
      // One H100: 3.1 TB/s over 132 multiprocessors at 1.75 GHz; the others as seen in a timeline of the 1B model's nodes.
      cost: { bytesPerCycle: 13.4, group: 500, unit: 25 },
    },
    attention: {
      warps: 8,
      minSplit: 32,
      whole: 128,
      maxHeadsPerBlock: 4,
      stageBytes: sharedBytes > 200 * 1024 ? 32768 : 16384,
      stages: 2,
    },
    selectThreads: 512,
    experts: {
      warps: 16,
      slotBytes: 4608,
      ringBytes: 139264,
      earlyBytes: 36864,
      aloneBytes: sharedBytes / 2 + 1024,
      groupRows: [1, 2, 4, 8],
      cost: { bytesPerCycle: 13.4, item: 150, slot: 100, step: 30 },
    },
  };
}

/**
 * The simulator. Few threads, because each is a fiber; small slots and splits, so that short tests go through rings,
 * chunks and splits as long contexts and wide models do on a GPU.
 */
export function hostTarget(): Target {
  return {
    kind: 'host',
    archs: [],
    multiprocessors: 4,
    sharedBytes: 227 * 1024,
    projection: {
      warps: 3,
      blocksPerMultiprocessor: 1,
      slotBytes: 2048,
      ringBytes: 16384,
      earlyBytes: 4096,
      groupRows: [1, 2, 4, 8],
      cost: { bytesPerCycle: 1, group: 500, unit: 25 },
    },
    attention: { warps: 2, minSplit: 24, whole: 24, maxHeadsPerBlock: 8, stageBytes: 2048, stages: 2 },
    selectThreads: 128,
    experts: {
      warps: 3,
      slotBytes: 2048,
      ringBytes: 16384,
      earlyBytes: 4096,
      aloneBytes: 0,
      groupRows: [1, 2, 4, 8],
      cost: { bytesPerCycle: 1, item: 150, slot: 100, step: 30 },
    },
  };
}
