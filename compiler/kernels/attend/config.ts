/** The configurations of attend/kernel.cuh: one for each range of context lengths that wants its own; shared memory. */
import { roundUp } from '../../arithmetic.js';
import type { Cache } from '../../ir/ops.js';
import type { Target } from '../../target/target.js';
import { pageStride, type Setting as RoomSetting } from '../kernel.js';
import { type HeadConfig, headConfig } from './heads.js';
import type { Attend } from './operation.js';

export interface AttendConfig extends HeadConfig {
  readonly kind: 'attend';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly headsPerBlock: number;
  readonly splits: number;
  readonly minSplit: number;
  readonly unsplit: number;
  /** Chunks of a warp's stages. */
  readonly stages: number;
  readonly contextLength: number;
  /** f16 elements from a page of the KV cache to the next. */
  readonly pageStride: number;
  readonly warps: number;
  /** Those beyond heads and splits only keep a place. */
  readonly blocks: number;
  /** Shared memory that a block asks for at least, and blocks that a multiprocessor has registers for. */
  readonly leastShared: number;
  readonly blocksPerMultiprocessor: number;
  readonly scale: number;
  /** 0: none. */
  readonly softCap: number;
  /** 0: all positions are seen. */
  readonly window: number;
  readonly sinks: boolean;
  /** Gates of the output, of each head or of each element. */
  readonly gates?: 'heads' | 'elements';
}

/** What all kernels of an attention are for. */
type Setting = Pick<RoomSetting, 'contextLength' | 'caches'>;

interface Shape {
  readonly setting: Setting;
  readonly target: Target;
  /** Blocks of two nodes share the multiprocessors. */
  readonly coResident: boolean;
}

/**
 * The kernels of an attention for contexts of up to each of `limits` (ascending) positions: the fastest by the cost
 * model at that many. Where that of the next longer ones is nearly as fast it serves these as well.
 */
export function attendConfigs(
  op: Attend,
  limits: readonly number[],
  setting: Setting,
  target: Target,
  coResident = false,
): AttendConfig[] {
  const configs: AttendConfig[] = [];
  for (const positions of limits.toReversed()) {
    const best = fastest(op, positions, { setting, target, coResident });
    const longer = configs[0];
    const serves = longer && attendCost(longer, positions, target) <= NEARLY * attendCost(best, positions, target);
    configs.unshift(serves ? longer : best);
  }
  return configs;
}

/** A kernel and a graph of its own must save more than this. */
const NEARLY = 1.03;

/** Positions that a warp takes at a time. */
const CHUNK = 16;

/** The context lengths that may have kernels of their own: the longest of each, the whole context last. */
export function bucketLimits(contextLength: number, { attention }: Target): number[] {
  const limits = [contextLength];
  for (let limit = attention.firstBucket; limit < contextLength; limit *= 2) limits.splice(-1, 0, limit);
  return limits;
}

/** By heads a block: fewer blocks share what many heads read, more of them share the work. */
function fastest(op: Attend, positions: number, shape: Shape): AttendConfig {
  const headsPerKv = op.headCount / op.headCountKv;
  const { target } = shape;
  const candidates: AttendConfig[] = [];
  for (let heads = 1; heads <= Math.min(headsPerKv, target.attention.maxHeadsPerBlock); heads++)
    if (headsPerKv % heads === 0) candidates.push(shapeAttention(op, heads, positions, shape));
  const cost = (config: AttendConfig) => attendCost(config, positions, target);
  return candidates.reduce((best, other) => (cost(other) < cost(best) ? other : best));
}

/** Microseconds of an attention at this many positions, but for what is the same for all its kernels. */
export function attendCost(c: AttendConfig, positions: number, { attention }: Target): number {
  const { cost } = attention;
  const seen = Math.min(positions, c.window || positions);
  const splits = seen <= c.unsplit ? 1 : Math.min(c.splits, Math.ceil(seen / c.minSplit));
  const ofBlock = Math.ceil(seen / splits) * 4 * kvRow(c.headSize);
  const reading = Math.max(ofBlock * cost.blockByte, splits * c.kvHeads * ofBlock * cost.byte);
  const adding = splits > 1 ? cost.combine + cost.combineHead * splits * c.headsPerBlock : 0;
  return c.headsPerBlock * cost.head + reading + adding;
}

/** For contexts of up to `positions`. */
function shapeAttention(op: Attend, headsPerBlock: number, positions: number, shape: Shape): AttendConfig {
  const { setting, target, coResident } = shape;
  const groups = op.headCount / headsPerBlock;
  const { minSplit, cost } = target.attention;
  // Reading that many takes one block longer than adding splits up does.
  const unsplit = Math.floor(cost.combine / cost.blockByte / (4 * kvRow(op.headSize)));
  const seen = Math.min(positions, op.window ?? positions);
  const worthwhile = seen <= unsplit ? 1 : Math.ceil(seen / minSplit);
  const splits = Math.max(1, Math.min(worthwhile, Math.floor(target.multiprocessors / groups), op.headSize));
  const largest: AttendConfig = {
    kind: 'attend',
    blocks: coResident ? Math.max(groups * splits, target.multiprocessors) : groups * splits,
    leastShared: coResident ? target.projection.coResident!.attentionShared : 0,
    // So that one of the projection beside it has registers as well: shorter heads leave enough, longer ones need more.
    blocksPerMultiprocessor: coResident && op.headSize > 64 && op.headSize <= 128 ? 2 : 1,
    heads: op.headCount,
    kvHeads: op.headCountKv,
    headSize: op.headSize,
    headsPerBlock,
    splits,
    minSplit,
    unsplit,
    stages: target.attention.stages,
    contextLength: setting.contextLength,
    pageStride: pageStride(setting, op.cache),
    warps: target.attention.warps,
    scale: op.scale,
    softCap: op.softCap ?? 0,
    window: op.window ?? 0,
    ...headConfig(op),
    sinks: op.sinks !== undefined,
    ...(op.gates && { gates: op.gates === op.headCount ? 'heads' : 'elements' }),
  };
  const mostShared = coResident ? target.projection.coResident!.attentionShared : target.sharedBytes;
  return fitted(largest, Math.ceil(seen / splits), Math.min(mostShared, target.attention.mostShared));
}

/** With as much of the rings, and then as many of the warps, as fit and have something to do. */
function fitted(config: AttendConfig, share: number, mostShared: number): AttendConfig {
  let { stages, warps } = config;
  const shared = () => attendShared({ ...config, stages, warps });
  while (stages > 1 && (shared() > mostShared || stages > Math.ceil(share / CHUNK / warps))) stages--;
  while (warps > 1 && shared() > mostShared) warps /= 2;
  return { ...config, stages, warps };
}

/** AttendShape::shared_bytes. */
export function attendShared(c: AttendConfig): number {
  const row = kvRow(c.headSize);
  const heads = c.headsPerBlock;
  const stages = c.warps * c.stages * 4 * CHUNK * row;
  const norms = (c.queryNorm ? (c.jointNorms & 1 ? heads : 1) : 0) + (c.keyNorm ? 1 : 0);
  const numbers = 2 * heads * c.warps + norms * c.headSize + (c.rope?.dimensions ?? 0) + 1;
  const barrierAt = roundUp(stages + 4 * heads * (row + 8) + 4 * row + 4 * numbers, 8);
  return roundUp(barrierAt + c.warps * c.stages * 8, 16);
}

/** Positions of a KV page, and pages that a context takes. */
export const KV_PAGE = 64;
export const kvPages = (contextLength: number): number => Math.ceil(contextLength / KV_PAGE);

/** f16 elements from one position's key or value to the next in the KV cache. */
const kvRow = (headSize: number): number => roundUp(headSize, CHUNK);

/** Of all keys of a position, or of all its values: f16. */
export const keyBytes = ({ heads, headSize }: Cache): number => 2 * heads * kvRow(headSize);

/** f32 elements that splits leave for each other; none where the context is not split. */
export const partialSize = (c: AttendConfig): number => (c.splits > 1 ? c.heads * c.splits * (c.headSize + 2) : 0);

/** Counters that the splits of one layer count themselves with. */
export const attendCounters = (c: AttendConfig): number => c.heads / c.headsPerBlock;
