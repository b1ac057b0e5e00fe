/** The configuration of projection/kernel.cuh: how matrices are cut for its warps, chosen by a cost model; shared memory. */

import type { GgmlType } from '../../../runtime/files/ggml.js';
import { roundUp } from '../../arithmetic.js';
import type { Segment } from '../../ir/ops.js';
import type { Activation } from '../../model/activations.js';
import type { BlockMemory, Target } from '../../target/target.js';
import { isQuant, scalesTogether, sharedUnitsBytes, slotContent, slotStride, UNIT_COLS, unitsOf } from '../formats.js';
import { type InputConfig, inputConfig } from '../input.js';
import { activationOf, maskOf } from '../segment.js';
import { chunkShape, type Tiling } from '../tiling.js';
import type { Projection } from './operation.js';

/** What a projection brings into L2 for a later one: l2_prefetch.cuh's L2Prefetch, the first bytes of each block's run of a later projection's groups. */
export interface L2Prefetch {
  readonly blocks: number;
  readonly bytes: number;
  readonly segments: readonly { readonly groups: number; readonly groupBytes: number }[];
}

/** projection/config.cuh */
export interface ProjectionConfig extends Tiling, InputConfig {
  readonly kind: 'projection';
  readonly cols: number;
  readonly segments: readonly SegmentConfig[];
  /** Groups of rows that a block works on at once; each has a warp a chunk. */
  readonly rowWarps: number;
  /** Of a warp's pipeline, each a tile. */
  readonly stages: number;
  /** Of these, loaded at once, before the node waits for the one before it. */
  readonly prefetchAtOnce: number;
  /** And so many in all before that, each once an earlier one has come. */
  readonly prefetchStages: number;
  /** The stages hold all that the block reads, so the next node may be scheduled at once. */
  readonly holdsAll: boolean;
  /** Groups whose sums meet in shared memory at once. */
  readonly passGroups: number;
  readonly blocks: number;
  /** Shared memory that a block asks for at least, and blocks that a multiprocessor has registers for. */
  readonly leastShared: number;
  readonly blocksPerMultiprocessor: number;
  readonly activation: Activation | 'none';
  readonly scale: number;
  /** 0: none. */
  readonly softCap: number;
  readonly addResidual: boolean;
  readonly findBest: boolean;
  /** Bit i: segment i, or weight i of a gated segment, has a bias; a scale. */
  readonly bias: number;
  readonly matrixScale: number;
  /** The scales are of the biases too. */
  readonly scalesBias: boolean;
  readonly l2Prefetch: L2Prefetch | null;
  /** Logits that blocks add their rows' part to; 0: none. */
  readonly routes: number;
}
export interface SegmentConfig {
  readonly rows: number;
  /** One format, or those of gate and up. */
  readonly formats: readonly GgmlType[];
}

/** How a projection is cut: its tiling, and how many groups of rows a block has under way. */
interface Cut extends Tiling {
  readonly rowWarps: number;
}

/** Rows that a group may have: their sums take at most so many steps of a warp, each a register. */
const GROUP_ROWS = [1, 2, 4, 8, 16, 32];
const MOST_STEPS = 8;
/** Of the sums of rows that meet in shared memory: all of a block at once, or in passes that leave more of it to the pipelines; bytes. */
const SUMS_BYTES = { all: 16384, pass: 2048 };
/** Registers of a multiprocessor. */
const REGISTERS = 65536;
/**
 * The least units of a chunk: 256 columns, which some formats scale together. Others may halve it, where that spares a last
 * chunk that is at most half full.
 */
function leastChunk(units: number, formats: readonly GgmlType[]): number {
  const halves = formats.every((type) => isQuant(type) && !scalesTogether(type));
  return halves && units > 8 && units % 8 > 0 && units % 8 <= 4 ? 4 : 8;
}

/**
 * Every way to give each warp a chunk of the columns that the formats, the block's warps and its registers allow. Tight:
 * those for which shared memory is short, with rows too few for all lanes and no second copy of the input.
 */
function cuts({ input, inputSum, segments }: Projection, target: Target, tight: boolean, blocks: number): Cut[] {
  const units = unitsOf(input.cols);
  const formats = segments.flatMap(({ weights }) => weights.map(({ type }) => type));
  const found: Cut[] = [];
  for (let chunkUnits = leastChunk(units, formats); ; chunkUnits *= 2) {
    const chunks = Math.ceil(units / chunkUnits);
    const { warps } = inputSum ? sumWarps(chunkUnits, target, blocks) : target.projection;
    if (chunks > warps) continue;
    for (const groupRows of GROUP_ROWS.filter((group) => segments.every((segment) => isWhole(segment, group)))) {
      const { lanesR, steps } = laneShape(chunkUnits, groupRows);
      if (steps > MOST_STEPS || (!tight && groupRows < Math.min(lanesR, 8))) continue;
      found.push({ groupRows, chunkCols: chunkUnits * UNIT_COLS, rowWarps: tight ? 1 : Math.floor(warps / chunks) });
    }
    if (chunks === 1) return found;
  }
}

/** No group of rows spans two pieces of the file. */
const isWhole = ({ weights }: Segment, groupRows: number): boolean =>
  weights.every(({ rows, pieces = [] }) => pieces.length < 2 || (rows / pieces.length) % groupRows === 0);

/** Of a sum, warps hold their chunk of four vectors: there are only so many as have the registers for it. */
function sumWarps(chunkUnits: number, { projection }: Target, blocks: number): { warps: number } {
  const registers = 40 + chunkUnits * 4;
  const most = Math.floor(REGISTERS / 32 / blocks / registers);
  return { warps: Math.max(1, Math.min(projection.warps, most)) };
}

/** ProjectionShape's lanes and steps. */
function laneShape(chunkUnits: number, groupRows: number): { lanesR: number; unitSets: number; steps: number } {
  const lanesK = Math.min(32, 2 ** Math.ceil(Math.log2(chunkUnits)));
  const lanesR = 32 / lanesK;
  return { lanesR, unitSets: Math.ceil(chunkUnits / 32), steps: Math.ceil(groupRows / lanesR) };
}

/** Cycles of the block with the most groups: to stream its rows, and for its warps to take their slots in turn. */
function cutCost(segments: readonly SegmentConfig[], cols: number, cut: Cut, target: Target): number {
  const { cost } = target.projection;
  const { groupRows, rowWarps, chunkCols } = cut;
  const { units, chunkUnits, chunks, lastUnits } = chunkShape({ cols, chunkCols });
  const groups = groupsOf(segments, cut);
  let bytes = 0;
  let isRagged = false;
  for (const { rows, formats } of segments)
    for (const type of formats) {
      const ofGroup = (chunks - 1) * slotContent(type, groupRows, chunkUnits) + slotContent(type, groupRows, lastUnits);
      bytes += Math.ceil(rows / groupRows) * ofGroup;
      isRagged ||= slotStride(type, groupRows, Math.min(units, chunkUnits)) % 128 > 0;
    }
  const ofBlock = Math.ceil(groups / Math.min(groups, target.multiprocessors));
  const { steps, unitSets } = laneShape(chunkCols / UNIT_COLS, groupRows);
  const slots = Math.ceil(ofBlock / rowWarps) * segments[0]!.formats.length;
  const input = (cols / 32) * rowWarps * cost.input;
  const rate = cost.bytesPerCycle / (isRagged ? cost.ragged : 1);
  return (ofBlock * bytes) / groups / rate + slots * (cost.slot + cost.step * steps * unitSets) + input;
}

const largest = (segments: readonly SegmentConfig[], groupRows: number, units: number): number =>
  Math.max(...segments.flatMap(({ formats }) => formats.map((format) => slotStride(format, groupRows, units))));

/** What a block may have of its multiprocessor. */
export interface Room extends BlockMemory {
  /** That a multiprocessor has registers for. */
  readonly blocks: number;
  /** Cuts are preferred whose stages hold all that the block reads within so many bytes of shared memory. */
  readonly holdAllIn?: number | undefined;
}

/** Of a node by itself: what its neighbours change is decided by passes over the lowered nodes (plan/node_passes.ts). */
const roomAlone = ({ projection }: Target): Room => ({ ...projection.alone, blocks: 1 });

/** The cut that the cost model finds fastest, among those that shared memory holds and whose slots are as small as wanted. */
export function projectionConfig(op: Projection, target: Target, room: Room = roomAlone(target)): ProjectionConfig {
  const shapes = [false, true].map((tight) =>
    cuts(op, target, tight, room.blocks).map((cut) => shapeProjection(op, cut, tight, target)),
  );
  const fitting = shapes.map((some) => some.filter((shape) => sharedOf(shape, 1) <= room.mostShared));
  // None fits: the one that needs least is refused by checkShared.
  const smallest = shapes.flat().reduce((least, shape) => (sharedOf(shape, 1) < sharedOf(least, 1) ? shape : least));
  const candidates = fitting.find((some) => some.length > 0) ?? [smallest];
  const most = Math.max(room.slotBytes, Math.min(...candidates.map(largestSlot)));
  const configs = candidates
    .filter((shape) => largestSlot(shape) <= most)
    .map((shape) => ({
      config: { ...shape, ...pipelineOf(shape, room) },
      cost: cutCost(shape.segments, shape.cols, shape, target),
    }));
  const holding = configs.filter(({ config }) => room.holdAllIn !== undefined && holdsAll(config, room.holdAllIn));
  return (holding.length > 0 ? holding : configs).reduce((best, other) => (other.cost < best.cost ? other : best))
    .config;
}

/** A configuration but for its pipeline, whose stages get what the rest leaves of the shared memory. */
type Shape = Omit<ProjectionConfig, keyof Pipeline>;
type Pipeline = Pick<
  ProjectionConfig,
  'stages' | 'prefetchAtOnce' | 'prefetchStages' | 'holdsAll' | 'leastShared' | 'blocksPerMultiprocessor' | 'l2Prefetch'
>;

function shapeProjection(op: Projection, cut: Cut, tight: boolean, target: Target): Shape {
  const cols = op.input.cols;
  const segments = op.segments.map(({ weights }) => ({ rows: weights[0]!.rows, formats: weights.map((w) => w.type) }));
  const groups = groupsOf(segments, cut);
  const blocks = Math.min(groups, target.multiprocessors);
  const weights = op.segments.flatMap((segment) => segment.weights);
  return {
    kind: 'projection',
    cols,
    ...cut,
    segments,
    passGroups: tight ? cut.rowWarps : passGroups(segments, cols, cut, Math.ceil(groups / blocks)),
    blocks,
    ...inputConfig(op),
    activation: activationOf(op.activation),
    scale: op.scale ?? 1,
    softCap: op.softCap ?? 0,
    addResidual: op.residual !== undefined,
    findBest: op.best !== undefined,
    bias: maskOf(op.segments.flatMap((segment) => segment.biases)),
    matrixScale: maskOf(weights.map(({ scale }) => scale)),
    scalesBias: weights.some(({ scalesBias }) => scalesBias),
    routes: op.router?.logits.cols ?? 0,
  };
}

const groupsOf = (segments: readonly SegmentConfig[], { groupRows }: Tiling): number =>
  segments.reduce((sum, { rows }) => sum + Math.ceil(rows / groupRows), 0);

/** All that the block has, or as many as a pass has. */
function passGroups(segments: readonly SegmentConfig[], cols: number, cut: Cut, ofBlock: number): number {
  const { groupRows, chunkCols, rowWarps } = cut;
  const ofGroup = Math.ceil(cols / chunkCols) * groupRows * mostParts(segments) * 4;
  const all = roundUp(ofBlock, rowWarps);
  if (all * ofGroup <= SUMS_BYTES.all) return all;
  return Math.max(rowWarps, Math.floor(SUMS_BYTES.pass / ofGroup / rowWarps) * rowWarps);
}

const mostParts = (segments: readonly SegmentConfig[]): number => Math.max(...segments.map((s) => s.formats.length));

/** As many stages a warp as its groups can use and the room holds, and how many are asked for before the wait. */
function pipelineOf(shape: Shape, room: Room): Pipeline {
  const most = stagesOf(shape);
  const share = (bytes: number) => Math.floor(bytes / projectionWarps(shape) / largestSlot(shape));
  let stages = Math.max(1, Math.min(most, Math.max(2, share(room.stagesBytes))));
  while (stages > 1 && sharedOf(shape, stages) > room.mostShared) stages--;
  const prefetchAtOnce = Math.max(1, Math.min(stages, share(room.prefetchBytes)));
  const { leastShared, blocks: blocksPerMultiprocessor } = room;
  return {
    stages,
    prefetchAtOnce,
    prefetchStages: prefetchAtOnce,
    holdsAll: false,
    leastShared,
    blocksPerMultiprocessor,
    l2Prefetch: null,
  };
}

/** All that a warp takes in turn. */
const stagesOf = (shape: Shape): number =>
  Math.ceil(groupsOf(shape.segments, shape) / shape.blocks / shape.rowWarps) * mostParts(shape.segments);

/** Do the stages hold all that the block reads, within so many bytes of shared memory? */
export const holdsAll = (config: ProjectionConfig, mostShared: number): boolean =>
  config.stages === stagesOf(config) && projectionShared(config) <= mostShared;

const largestSlot = (config: Shape): number =>
  largest(config.segments, config.groupRows, chunkShape(config).chunkUnits);

export const projectionWarps = (config: Shape): number => chunkShape(config).chunks * config.rowWarps;

/** ProjectionShape::shared_bytes. */
export const projectionShared = (config: ProjectionConfig): number => sharedOf(config, config.stages);

function sharedOf(config: Shape, stages: number): number {
  const { chunkUnits, chunks } = chunkShape(config);
  const { passGroups, groupRows, segments } = config;
  const warps = projectionWarps(config);
  const formats = segments.flatMap((segment) => segment.formats);
  const ofWarp = stages * (largestSlot(config) + 16) + sharedUnitsBytes(formats, chunkUnits);
  const blockGroups = Math.ceil(groupsOf(segments, config) / config.blocks);
  const buffers = blockGroups > passGroups ? 2 : 1;
  const partial = buffers * mostParts(segments) * chunks * passGroups * groupRows * 4;
  const routed = config.routes > 0 ? 4 * (blockGroups * groupRows + 1) : 0;
  return roundUp(warps * ofWarp + partial + roundUp(chunks * 4, 8) + warps * 8 + routed, 16);
}
