/** Fused operation -> kernel: its compile-time shape, launch geometry and shared memory. The twin of runtime/kernels. */
import { CompileError } from '../errors.js';
import type { Attend, Embed, NormAdd, Projection } from '../ir/ops.js';
import type { GgmlType } from '../model/ggml.js';
import type { RopeSpec, Weight } from '../model/spec.js';
import type { ExpertsConfig } from './experts.js';
import { isQuant, needsSums, roundUp, slotBytes, UNIT_COLS, unitsOf } from './formats.js';
import type { Target } from './target.js';

/** How a matrix is cut into slots. */
export interface Tiling {
  readonly groupRows: number;
  /** A multiple of 32; the last chunk of a row may be shorter. */
  readonly chunkCols: number;
}

/** embed.cuh */
export interface EmbedConfig extends Tiling {
  readonly kind: 'embed';
  readonly cols: number;
  readonly format: GgmlType;
  readonly groupBytes: number;
  readonly scale: number;
}

/** projection.cuh */
export interface ProjectionConfig extends Tiling {
  readonly kind: 'projection';
  readonly cols: number;
  readonly segments: readonly SegmentConfig[];
  readonly warps: number;
  /** Slots of a warp's ring. */
  readonly ring: number;
  /** Slots of all warps together that are asked for before the node waits for the one before it. */
  readonly early: number;
  readonly blocks: number;
  readonly blocksPerMultiprocessor: number;
  readonly normalize: boolean;
  readonly centred: boolean;
  readonly normBias: boolean;
  readonly epsilon: number;
  readonly activation: 'none' | 'silu' | 'gelu';
  readonly scale: number;
  /** 0: none. */
  readonly softCap: number;
  readonly addResidual: boolean;
  readonly findBest: boolean;
  /** Bit i: segment i, or weight i of a gated segment, has a bias. */
  readonly bias: number;
}
export interface SegmentConfig {
  readonly rows: number;
  /** One format, or those of gate and up. */
  readonly formats: readonly GgmlType[];
}

/** attend.cuh */
export interface AttendConfig {
  readonly kind: 'attend';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly headsPerBlock: number;
  readonly splits: number;
  readonly minSplit: number;
  readonly whole: number;
  /** Positions of a tile of the cache in shared memory, and tiles of a block's ring. */
  readonly tile: number;
  readonly stages: number;
  readonly contextLength: number;
  readonly warps: number;
  readonly scale: number;
  /** 0: none. */
  readonly softCap: number;
  /** 0: all positions are seen. */
  readonly window: number;
  /** null: nothing turns. */
  readonly rope: Omit<RopeSpec, 'factors'> | null;
  readonly ropeFactors: boolean;
  readonly queryNorm: boolean;
  readonly keyNorm: boolean;
  /** Bit 0: the query norm is of all heads together; bit 1: the key norm is. */
  readonly wholeNorms: number;
  readonly epsilon: number;
  readonly sinks: boolean;
}

/** norm_add.cuh */
export interface NormAddConfig {
  readonly kind: 'norm_add';
  readonly size: number;
  readonly threads: number;
  readonly centred: boolean;
  readonly normBias: boolean;
  readonly addResidual: boolean;
  readonly epsilon: number;
}

/** select.cuh */
export interface SelectConfig {
  readonly kind: 'select';
  readonly threads: number;
  readonly candidates: number;
  readonly vocabSize: number;
}

/** sample.cuh: bins of 16 bytes and list entries of 8, sums of groups of threads, other numbers. */
const SAMPLE = { bins: 2048, list: 2048, groups: 32, found: 24 + 3 * 4 * 32, maxVocab: 2 ** 20 - 1 };

export function selectConfig(candidates: number, vocabSize: number, target: Target): SelectConfig {
  if (vocabSize > SAMPLE.maxVocab)
    throw new CompileError(`the vocabulary has ${vocabSize} tokens; at most ${SAMPLE.maxVocab} are supported`);
  return { kind: 'select', threads: target.selectThreads, candidates, vocabSize };
}

/** SampleShared. */
const selectShared = ({ threads }: SelectConfig): number =>
  SAMPLE.bins * 16 + SAMPLE.list * 8 + (threads + SAMPLE.groups) * 12 + SAMPLE.found;

export type KernelConfig = EmbedConfig | ProjectionConfig | ExpertsConfig | NormAddConfig | AttendConfig | SelectConfig;

/** What a launch of the kernel asks for. */
export interface Launch {
  readonly blocks: number;
  readonly threads: number;
  readonly sharedBytes: number;
}

const chunkShape = ({ cols, chunkCols }: { cols: number; chunkCols: number }) => {
  const units = unitsOf(cols);
  const chunkUnits = chunkCols / UNIT_COLS;
  const chunks = Math.ceil(units / chunkUnits);
  return { units, chunkUnits, chunks, lastUnits: units - (chunks - 1) * chunkUnits };
};

/** Bytes from one slot of a matrix to its next in the same group, and from a row group to the next. */
export interface Strides {
  readonly chunkStride: number;
  readonly groupStride: number;
  /** Where each matrix's slot starts in a chunk. */
  readonly partOffsets: readonly number[];
}

export function strides(formats: readonly GgmlType[], cols: number, { groupRows, chunkCols }: Tiling): Strides {
  const { chunkUnits, chunks, lastUnits } = chunkShape({ cols, chunkCols });
  const partOffsets: number[] = [];
  let chunkStride = 0;
  for (const format of formats) {
    partOffsets.push(chunkStride);
    chunkStride += slotBytes(format, groupRows, chunkUnits);
  }
  const last = slotBytes(formats.at(-1)!, groupRows, lastUnits);
  return { chunkStride, partOffsets, groupStride: (chunks - 1) * chunkStride + partOffsets.at(-1)! + last };
}

/** The group that the cost model finds fastest, in slots of about `wanted` bytes. */
function chooseTiling(segments: readonly SegmentConfig[], cols: number, wanted: number, target: Target): Tiling {
  const formats = segments.flatMap((segment) => segment.formats);
  const smallest = (rows: number) => Math.max(...formats.map((f) => slotBytes(f, rows, Math.min(unitsOf(cols), 8))));
  const [least, ...more] = target.projection.groupRows;
  const candidates = [least!, ...more.filter((rows) => smallest(rows) <= wanted)];
  const costs = candidates.map((rows) => ({ rows, cost: groupCost(segments, cols, rows, target) }));
  const groupRows = costs.reduce((best, other) => (other.cost < best.cost ? other : best)).rows;
  return { groupRows, chunkCols: chunkColumns(formats, cols, groupRows, wanted) };
}

/** Cycles of the block with the most groups: to stream its rows, and for its warps to take their groups in turn. */
function groupCost(segments: readonly SegmentConfig[], cols: number, rows: number, target: Target): number {
  const { warps, cost } = target.projection;
  const units = unitsOf(cols);
  const groups = segments.reduce((sum, segment) => sum + Math.ceil(segment.rows / rows), 0);
  const bytes = segments.reduce((sum, { rows: n, formats }) => {
    const group = formats.reduce((all, format) => all + slotBytes(format, rows, units), 0);
    return sum + Math.ceil(n / rows) * group;
  }, 0);
  const ofBlock = Math.ceil(groups / Math.min(groups, target.multiprocessors));
  const parts = segments[0]!.formats.length;
  const rounds = Math.ceil(ofBlock / warps);
  return (
    (ofBlock * bytes) / groups / cost.bytesPerCycle +
    rounds * (cost.group + cost.unit * parts * rows * Math.ceil(units / 32))
  );
}

/**
 * Chunks of whole 256-column blocks that bring the widest format's slot near the wanted size, a quarter more or half less:
 * the number of chunks that leaves the last one least short, because slots keep their places in it.
 */
function chunkColumns(formats: readonly GgmlType[], cols: number, groupRows: number, wanted: number): number {
  const units = unitsOf(cols);
  const whole = Math.max(...formats.map((format) => slotBytes(format, groupRows, units)));
  const fewest = Math.ceil(whole / (1.25 * wanted));
  if (fewest === 1) return units * UNIT_COLS;
  const most = Math.max(fewest, Math.ceil(whole / (0.5 * wanted)));
  let best = { chunkUnits: units, short: Number.POSITIVE_INFINITY };
  for (let chunks = fewest; chunks <= most; chunks++) {
    const chunkUnits = Math.min(roundUp(Math.ceil(units / chunks), 8), units);
    const short = (chunkUnits - (units % chunkUnits)) % chunkUnits;
    if (short < best.short) best = { chunkUnits, short };
  }
  return best.chunkUnits * UNIT_COLS;
}

/** Slots are made smaller where one for each warp leaves no room for the input. */
export function projectionConfig(op: Projection, target: Target): ProjectionConfig {
  let config = shapeProjection(op, target.projection.slotBytes, target);
  for (let wanted = target.projection.slotBytes / 2; wanted >= LEAST_SLOT; wanted /= 2) {
    if (projectionShared(config) <= target.sharedBytes) break;
    config = shapeProjection(op, wanted, target);
  }
  const ring = ringDepth(config, target);
  const early = Math.max(1, Math.floor(target.projection.earlyBytes / largestSlot(config)));
  return { ...config, ring, early: Math.min(early, config.warps * ring) };
}

/** Bytes; below it a copy costs more than it brings. */
const LEAST_SLOT = 256;

function shapeProjection(op: Projection, slot: number, target: Target): ProjectionConfig {
  const cols = op.input.size;
  const segments = op.segments.map(({ weights }) => ({ rows: weights[0]!.rows, formats: weights.map((w) => w.type) }));
  const tiling = chooseTiling(segments, cols, slot, target);
  const groups = segments.reduce((sum, { rows }) => sum + Math.ceil(rows / tiling.groupRows), 0);
  const biases =
    op.segments[0]!.weights.length === 2 ? op.segments[0]!.biases : op.segments.map((segment) => segment.biases[0]);
  return {
    kind: 'projection',
    cols,
    ...tiling,
    segments,
    warps: target.projection.warps,
    ring: 1,
    early: 1,
    blocks: Math.min(groups, target.multiprocessors),
    blocksPerMultiprocessor: target.projection.blocksPerMultiprocessor,
    normalize: op.norm !== undefined,
    centred: op.norm?.centred ?? false,
    normBias: op.norm?.bias !== undefined,
    epsilon: op.norm?.epsilon ?? 0,
    activation: op.activation === undefined ? 'none' : op.activation === 'silu_mul' ? 'silu' : 'gelu',
    scale: op.scale ?? 1,
    softCap: op.softCap ?? 0,
    addResidual: op.residual !== undefined,
    findBest: op.best !== undefined,
    bias: biases.reduce((mask, bias, i) => mask | (bias ? 1 << i : 0), 0),
  };
}

/** As deep as the bytes in flight that the target asks for, within what the group's slots can use and shared memory holds. */
function ringDepth(config: ProjectionConfig, target: Target): number {
  const slot = largestSlot(config);
  const { chunks } = chunkShape(config);
  const groups = config.segments.reduce((sum, { rows }) => sum + Math.ceil(rows / config.groupRows), 0);
  const slotsOfWarp =
    Math.ceil(groups / config.blocks / config.warps) *
    chunks *
    Math.max(...config.segments.map((s) => s.formats.length));
  const wanted = Math.max(2, Math.floor(target.projection.ringBytes / (config.warps * slot)));
  let ring = Math.max(1, Math.min(wanted, slotsOfWarp));
  while (ring > 1 && projectionShared({ ...config, ring }) > target.sharedBytes) ring--;
  return ring;
}

function largestSlot(config: ProjectionConfig): number {
  const { chunkUnits } = chunkShape(config);
  return Math.max(...config.segments.flatMap((s) => s.formats.map((f) => slotBytes(f, config.groupRows, chunkUnits))));
}

/** ProjectionShape::shared_bytes. */
function projectionShared(config: ProjectionConfig): number {
  const { units } = chunkShape(config);
  const formats = config.segments.flatMap((segment) => segment.formats);
  const rings = config.warps * config.ring * largestSlot(config);
  const floats = formats.every(isQuant) ? 0 : 8 * (units | 1) * 16;
  const ints = formats.some(isQuant) ? 4 * (units * 16 + 64) + units * 4 : 0;
  const sums = formats.some(needsSums) ? units * 8 : 0;
  const barriersAt = roundUp(rings + floats + ints + sums, 16);
  return roundUp(barriersAt + config.warps * config.ring * 16 + config.warps * 12, 16);
}

export function embedConfig(op: Embed, tiling: Tiling): EmbedConfig {
  const { cols, type } = op.weight;
  const groupBytes = strides([type], cols, tiling).groupStride;
  return { kind: 'embed', cols, ...tiling, format: type, groupBytes, scale: op.scale ?? 1 };
}

export function normAddConfig(op: NormAdd, target: Target): NormAddConfig {
  const size = op.input.size;
  return {
    kind: 'norm_add',
    size,
    threads: Math.min(target.kind === 'cuda' ? 1024 : 64, roundUp(size, 32)),
    centred: op.norm.centred ?? false,
    normBias: op.norm.bias !== undefined,
    addResidual: op.residual !== undefined,
    epsilon: op.norm.epsilon,
  };
}

/** For a matrix that only the embedding reads: a row at a time. */
export function rowTiling(weight: Weight): Tiling {
  return { groupRows: 1, chunkCols: unitsOf(weight.cols) * UNIT_COLS };
}

/** As many heads a block as share what it reads of the cache and fit into its shared memory. */
export function attendConfig(op: Attend, contextLength: number, target: Target): AttendConfig {
  const headsPerKv = op.headCount / op.headCountKv;
  for (let heads = Math.min(headsPerKv, target.attention.maxHeadsPerBlock); ; heads--) {
    if (headsPerKv % heads) continue;
    const config = shapeAttention(op, heads, contextLength, target);
    if (heads === 1 || attendShared(config) <= target.sharedBytes) return config;
  }
}

function shapeAttention(op: Attend, headsPerBlock: number, contextLength: number, target: Target): AttendConfig {
  const groups = op.headCount / headsPerBlock;
  const { minSplit, whole, warps, stages } = target.attention;
  const worthwhile = Math.ceil(Math.min(contextLength, op.window ?? contextLength) / minSplit);
  const { factors, ...rope } = op.rope ?? {};
  const wholeNorm = (norm: Attend['queryNorm']) => (norm && norm.weight.cols !== op.headSize ? 1 : 0);
  return {
    kind: 'attend',
    heads: op.headCount,
    kvHeads: op.headCountKv,
    headSize: op.headSize,
    headsPerBlock,
    splits: Math.max(1, Math.min(worthwhile, Math.floor(target.multiprocessors / groups), warps * op.headSize)),
    minSplit,
    whole,
    tile: tilePositions(op.headSize, target),
    stages,
    contextLength,
    warps,
    scale: op.scale,
    softCap: op.softCap ?? 0,
    window: op.window ?? 0,
    rope: op.rope ? (rope as AttendConfig['rope']) : null,
    ropeFactors: factors !== undefined,
    queryNorm: op.queryNorm !== undefined,
    keyNorm: op.keyNorm !== undefined,
    wholeNorms: wholeNorm(op.queryNorm) + 2 * wholeNorm(op.keyNorm),
    epsilon: op.queryNorm?.epsilon ?? op.keyNorm?.epsilon ?? 0,
    sinks: op.sinks !== undefined,
  };
}

/** The largest power of two of positions whose keys and values fit in a stage; threads are shared out evenly over them. */
function tilePositions(headSize: number, { attention }: Target): number {
  const { stageBytes, warps } = attention;
  let tile = warps * 32;
  while (tile > 8 && tile * kvRow(headSize) * 4 > stageBytes) tile /= 2;
  return tile;
}

/** AttendShape::shared_bytes. */
function attendShared(c: AttendConfig): number {
  const row = kvRow(c.headSize);
  const heads = c.headsPerBlock;
  const ring = c.stages * 2 * c.tile * row * 2;
  const numbers = heads * row + row + heads * c.tile + 3 * heads + 1;
  const newestAt = roundUp(ring + 4 * (numbers + (c.rope?.dimensions ?? 0)), 16);
  return roundUp(newestAt + 4 * row + c.stages * 16 + 4 * c.warps * heads * c.headSize, 16);
}

/** f16 elements from one position's key or value to the next in the KV cache. */
export const kvRow = (headSize: number): number => roundUp(headSize, 8);

/** f32 elements that splits leave for each other; none where the context is not split. */
export const partialSize = (c: AttendConfig): number => (c.splits > 1 ? c.heads * c.splits * (c.headSize + 2) : 0);

/** Counters that the splits of one layer count themselves with. */
export const attendCounters = (c: AttendConfig): number => c.heads / c.headsPerBlock;

export function launchOf(config: KernelConfig): Launch {
  switch (config.kind) {
    case 'embed':
      return { blocks: Math.ceil(unitsOf(config.cols) / 32), threads: 32, sharedBytes: 0 };
    case 'projection':
      return { blocks: config.blocks, threads: config.warps * 32, sharedBytes: projectionShared(config) };
    case 'attend':
      return {
        blocks: attendCounters(config) * config.splits,
        threads: config.warps * 32,
        sharedBytes: attendShared(config),
      };
    case 'experts':
      return { blocks: config.blocks, threads: config.warps * 32, sharedBytes: config.sharedBytes };
    case 'norm_add':
      return { blocks: 1, threads: config.threads, sharedBytes: (config.threads / 32) * 4 };
    case 'select':
      return { blocks: 1, threads: config.threads, sharedBytes: selectShared(config) };
  }
}

/** Throws where a kernel needs more shared memory than the target has. */
export function checkShared(node: string, launch: Launch, target: Target): void {
  if (launch.sharedBytes <= target.sharedBytes) return;
  const where = target.kind === 'cuda' ? target.archs.join(', ') : 'the host target';
  throw new CompileError(
    `${node} needs ${launch.sharedBytes} bytes of shared memory a block, ${where} has ${target.sharedBytes}: ` +
      'the model is too wide for this GPU; compile for one with more shared memory',
  );
}
