/** The configuration of experts/kernel.cuh: how matrices are cut, chosen by a cost model; shared memory. */

import type { GgmlType } from '../../../runtime/files/ggml.js';
import { roundUp } from '../../arithmetic.js';
import type { Activation } from '../../model/activations.js';
import { mostBeside, type Target } from '../../target/target.js';
import { sharedUnitsBytes, slotStride, UNIT_COLS, unitsOf } from '../formats.js';
import { activationOf, maskOf } from '../segment.js';
import { strides, type Tiling } from '../tiling.js';
import type { Experts } from './operation.js';
import { type RoutingConfig, routingBytes, routingConfig } from './routing.js';

export interface ExpertsConfig extends Tiling, RoutingConfig {
  readonly kind: 'experts';
  readonly cols: number;
  /** Of an expert; a multiple of groupRows. */
  readonly rows: number;
  /** Logits are sums that so many blocks have added to, of rows of routerCols; 0: as a projection leaves them. */
  readonly accumulated: number;
  readonly routerCols: number;
  readonly routerEpsilon: number;
  /** One format, or those of gate and up. */
  readonly formats: readonly GgmlType[];
  readonly warps: number;
  /** Of a warp's pipeline, and of these, those loaded before the node waits for the one before it. */
  readonly stages: number;
  readonly prefetchStages: number;
  readonly blocks: number;
  readonly sharedBytes: number;
  /** Blocks that a multiprocessor has registers for. */
  readonly blocksPerMultiprocessor: number;
  /** The experts' rows are added up. */
  readonly sum: boolean;
  /** A shared expert's output is added, multiplied with the sigmoid of a logit where it is gated. */
  readonly addShared: boolean;
  readonly scale: number;
  readonly addResidual: boolean;
  readonly normalize: boolean;
  readonly epsilon: number;
  readonly activation: Activation | 'none';
  /** Bit i: matrix i has a bias; a scale. */
  readonly bias: number;
  readonly matrixScale: number;
}

/** What is known of other nodes by then. */
export interface ExpertsBefore {
  /** Blocks of the projection that adds up the logits. */
  readonly accumulated?: number | undefined;
  /** Shared memory, bytes, of the blocks beside which these are to begin (plan/co_resident_experts.ts). */
  readonly beside?: number | undefined;
}

/** The tiling that the cost model finds fastest, with pipelines as deep as there are slots, or shared memory. */
export function expertsConfig(
  op: Experts,
  target: Target,
  { accumulated = 0, beside }: ExpertsBefore = {},
): ExpertsConfig {
  const all = tilingsOf(op, target).map((tiling) => ({ ...shapeExperts(op, tiling, target), accumulated }));
  // A slot a warp is asked for early, at least.
  const prefetching = all.filter((shape) => !shape.sum || shape.warps * slotOf(shape) <= target.experts.prefetchBytes);
  const shapes = prefetching.length > 0 ? prefetching : all;
  const needed = (shape: Shape) => neededShared(shape, 1);
  const choices = memoriesOf(target, beside).map((memory) => ({
    memory,
    fitting: shapes.filter((shape) => needed(shape) <= memory.most),
  }));
  const { memory, fitting } = choices.find((choice) => choice.fitting.length > 0) ?? choices.at(-1)!;
  // None fits: the one that needs least, which checkShared refuses where it must.
  const smallest = shapes.reduce((least, shape) => (needed(shape) < needed(least) ? shape : least));
  const candidates = fitting.length > 0 ? fitting : [smallest];
  const costs = candidates.map((shape) => ({ shape, cost: cyclesOf(shape, target) }));
  const { shape } = costs.reduce((best, other) => (other.cost < best.cost ? other : best));
  const pipeline = pipelineOf(shape, target, memory.most);
  const sharedBytes = Math.max(neededShared(shape, pipeline.stages), memory.least);
  return { ...shape, ...pipeline, sharedBytes, blocksPerMultiprocessor: memory.blocks };
}

/** Shared memory that a block has at most and asks for at least, bytes, and blocks that a multiprocessor has room for. */
interface ExpertsMemory {
  readonly most: number;
  readonly least: number;
  readonly blocks: number;
}

/** From what is best to what always works. */
function memoriesOf({ sharedBytes, projection: { coResident }, experts }: Target, other?: number): ExpertsMemory[] {
  const alone = { most: sharedBytes, least: experts.aloneBytes, blocks: 1 };
  if (coResident === null) return [alone];
  const roomy = { ...alone, most: coResident.mostShared, blocks: 2 };
  if (other === undefined) return [roomy, alone];
  const beside = { most: mostBeside(sharedBytes, other), least: coResident.attentionShared, blocks: 2 };
  return beside.most < beside.least ? [roomy, alone] : [beside, roomy, alone];
}

/** Every number of rows that divides an expert's, in chunks of whole 256-column blocks or of the whole row. */
function tilingsOf({ experts, segment }: Experts, { experts: { groupRows, slotBytes: wanted } }: Target): Tiling[] {
  const { rows, cols } = segment.weights[0]!;
  const formats = segment.weights.map(({ type }) => type);
  const units = unitsOf(cols);
  return groupRows
    .filter((group) => (rows / experts.count) % group === 0)
    .map((group) => {
      const bytes = (chunk: number) => formats.reduce((sum, format) => sum + slotStride(format, group, chunk), 0);
      let chunks = 1;
      const chunkUnits = () => (chunks === 1 ? units : roundUp(Math.ceil(units / chunks), 8));
      while (bytes(chunkUnits()) > wanted && chunkUnits() > 8) chunks++;
      return { groupRows: group, chunkCols: chunkUnits() * UNIT_COLS };
    });
}

/** A configuration but for its pipeline, and what that needs of a multiprocessor. */
type Shape = Omit<ExpertsConfig, 'stages' | 'prefetchStages' | 'sharedBytes' | 'blocksPerMultiprocessor'>;

function shapeExperts(op: Experts, tiling: Tiling, target: Target): Omit<Shape, 'accumulated'> {
  const { experts, segment, sum, norm } = op;
  const { rows, cols } = segment.weights[0]!;
  const ofExpert = rows / experts.count;
  const groups = (ofExpert / tiling.groupRows) * (sum ? 1 : experts.used);
  return {
    kind: 'experts',
    cols,
    rows: ofExpert,
    ...routingConfig(op),
    routerCols: op.accumulated?.weight.cols ?? 0,
    routerEpsilon: op.accumulated?.epsilon ?? 0,
    formats: segment.weights.map(({ type }) => type),
    ...tiling,
    warps: target.experts.warps,
    blocks: Math.min(groups, target.multiprocessors),
    sum: sum !== undefined,
    addShared: op.shared !== undefined,
    gated: op.gated ?? false,
    scale: sum?.scale ?? 1,
    addResidual: op.residual !== undefined,
    normalize: norm !== undefined,
    epsilon: norm?.epsilon ?? 0,
    activation: activationOf(op.activation),
    bias: maskOf(segment.biases),
    matrixScale: maskOf(segment.weights.map(({ scale }) => scale)),
  };
}

const chunksOf = ({ cols, chunkCols }: Shape): number => Math.ceil(cols / chunkCols);

/** Of all matrices together: they come with one copy. */
const slotOf = ({ formats, groupRows, chunkCols }: Pick<Shape, 'formats' | 'groupRows' | 'chunkCols'>): number =>
  formats.reduce((sum, format) => sum + slotStride(format, groupRows, chunkCols / UNIT_COLS), 0);

/** Groups of the block with the most, and what its warps take in turn: a group of one expert. */
function blockGroups({ rows, groupRows, sum, used, blocks }: Shape): number {
  return Math.ceil(((rows / groupRows) * (sum ? 1 : used)) / blocks);
}
const blockItems = (config: Shape): number => blockGroups(config) * (config.sum ? config.used : 1);

/** Of the block with the most groups: to stream its rows, and for its warps to take their items in turn. */
function cyclesOf(config: Shape, target: Target): number {
  const { cost } = target.experts;
  const { formats, groupRows, cols, chunkCols, warps } = config;
  const items = blockItems(config);
  // A chunk that is no multiple of a warp's 32 units leaves lanes without work.
  const [chunk, whole] = [unitsOf(chunkCols), Math.floor(cols / chunkCols)];
  const ofRow = whole * Math.ceil(chunk / 32) + Math.ceil((unitsOf(cols) - whole * chunk) / 32);
  const steps = formats.length * groupRows * ofRow;
  const bytes = items * strides(formats, cols, config).groupStride;
  return (
    bytes / cost.bytesPerCycle +
    Math.ceil(items / warps) * (cost.item + cost.slot * chunksOf(config) + cost.step * steps)
  );
}

function pipelineOf(
  shape: Shape,
  target: Target,
  mostShared: number,
): Pick<ExpertsConfig, 'stages' | 'prefetchStages'> {
  const slots = Math.ceil(blockItems(shape) / shape.warps) * chunksOf(shape);
  const share = (bytes: number) => Math.floor(bytes / shape.warps / slotOf(shape));
  let stages = Math.max(1, Math.min(slots, Math.max(2, share(target.experts.stagesBytes))));
  while (stages > 1 && neededShared(shape, stages) > mostShared) stages--;
  return { stages, prefetchStages: Math.max(1, Math.min(stages, share(target.experts.prefetchBytes))) };
}

/** ExpertsShape::shared_bytes. */
function neededShared(config: Shape, stages: number): number {
  const { warps, formats, cols, used, sum, groupRows } = config;
  const units = unitsOf(cols) * (sum ? used : 1);
  const barriersAt = warps * stages * slotOf(config) + sharedUnitsBytes(formats, units);
  const products = sum ? blockGroups(config) * used * groupRows : 0;
  return roundUp(barriersAt + warps * stages * 16 + routingBytes(config) + 4 * (warps + products), 16);
}
