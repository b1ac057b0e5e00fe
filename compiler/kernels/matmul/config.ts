/** The configuration of matmul/kernel.cuh: its tiles and pipeline; shared memory. */
import { roundUp } from '../../arithmetic.js';
import type { Segment } from '../../ir/ops.js';
import { rowsOf } from '../../ir/programs.js';
import type { Activation } from '../../model/activations.js';
import type { Target } from '../../target/target.js';
import type { Setting } from '../kernel.js';
import type { SegmentConfig } from '../projection/config.js';
import { activationOf, maskOf } from '../segment.js';
import type { Tiling } from '../tiling.js';
import type { Matmul } from './operation.js';

/** matmul/config.cuh */
export interface MatmulConfig extends Tiling {
  readonly kind: 'matmul';
  readonly cols: number;
  readonly segments: readonly SegmentConfig[];
  /** Of the program; or its outputs, where the product is of those rows whose logits are wanted. */
  readonly rows: number;
  readonly ofOutputs: boolean;
  readonly tileRows: number;
  readonly warpgroups: number;
  readonly blocks: number;
  readonly blocksPerMultiprocessor: number;
  readonly stages: number;
  /** Steps of 128 columns whose weights are on their way to registers, and to L2 further ahead. */
  readonly depth: number;
  readonly prefetchSteps: number;
  /** Steps whose sums are made by themselves; 0: all. The same in all programs, because bits depend on it. */
  readonly splitSteps: number;
  /** Each split by a block of its own. */
  readonly apart: boolean;
  readonly activation: Activation | 'none';
  readonly scale: number;
  /** 0: none. */
  readonly softCap: number;
  readonly addResidual: boolean;
  /** Bit i: segment i, or weight i of a gated segment, has a bias; a scale. */
  readonly bias: number;
  readonly matrixScale: number;
  /** The scales are of the biases too. */
  readonly scalesBias: boolean;
}

/** How a product is cut into tiles. */
type Cut = Pick<
  MatmulConfig,
  'tileRows' | 'warpgroups' | 'stages' | 'depth' | 'prefetchSteps' | 'splitSteps' | 'apart'
>;

export const segmentConfigs = (segments: readonly Segment[]): SegmentConfig[] =>
  segments.map(({ weights }) => ({ rows: weights[0]!.rows, formats: weights.map(({ type }) => type) }));

export function matmulConfig(op: Matmul, target: Target, { program, weights: placed }: Setting): MatmulConfig {
  const weights = op.segments.flatMap((segment) => segment.weights);
  const rows = rowsOf(op.output.rows, program);
  const shape = { cols: op.input.cols, segments: segmentConfigs(op.segments), rows };
  const cut = cutOf(shape, target);
  return {
    kind: 'matmul',
    cols: op.input.cols,
    ...placed.tilingOf(weights[0]!),
    segments: shape.segments,
    rows,
    ofOutputs: op.output.rows === 'output',
    ...cut,
    blocks: Math.min(itemsOf({ ...shape, ...cut }), target.multiprocessors),
    blocksPerMultiprocessor: 1,
    activation: activationOf(op.activation),
    scale: op.scale ?? 1,
    softCap: op.softCap ?? 0,
    addResidual: op.residual !== undefined,
    bias: maskOf(op.segments.flatMap((segment) => segment.biases)),
    matrixScale: maskOf(weights.map(({ scale }) => scale)),
    scalesBias: weights.some(({ scalesBias }) => scalesBias),
  };
}

type Shape = Pick<MatmulConfig, 'cols' | 'segments' | 'rows'>;

function cutOf(shape: Shape, target: Target): Cut {
  const splitSteps = splitStepsOf(shape, target);
  const { rows } = shape;
  const least = leastTile(rows);
  if (target.kind === 'host') {
    const apart = splitSteps > 0 && rows <= 16;
    return { tileRows: Math.min(32, least), warpgroups: 1, stages: 2, depth: 1, prefetchSteps: 1, splitSteps, apart };
  }
  if (rows <= 64) {
    const stages = least === 64 ? 4 : 8;
    const apart = splitSteps > 0;
    return { tileRows: least, warpgroups: 2, stages, depth: 2, prefetchSteps: 4, splitSteps, apart };
  }
  const tileRows = largeTile(shape, splitSteps, target);
  const stages = Math.min(6, Math.floor((target.sharedBytes - 1100) / stageBytes(tileRows)));
  return { tileRows, warpgroups: 2, stages, depth: 1, prefetchSteps: 4, splitSteps, apart: false };
}

const leastTile = (rows: number): number => 2 ** Math.max(3, Math.ceil(Math.log2(rows)));

/** Of many rows as many as a lane has registers for, or half of it where the last tiles are fuller then. */
function largeTile(shape: Shape, splitSteps: number, target: Target): number {
  if (!target.archs.every((arch) => arch === 'sm_90a')) return splitSteps > 0 || target.sharedBytes < 140000 ? 64 : 128;
  if (splitSteps > 0 || shape.rows < 256) return 128;
  const cost = (tileRows: number) =>
    Math.ceil(itemsOf({ ...shape, tileRows, warpgroups: 2, splitSteps, apart: false }) / target.multiprocessors) *
    tileRows;
  return cost(256) <= cost(128) ? 256 : 128;
}

/** The columns are split where the outputs are too few for all multiprocessors. */
function splitStepsOf(shape: Shape, { multiprocessors }: Target): number {
  const steps = stepsOf(shape);
  const splits = Math.min(8, Math.max(1, Math.floor(multiprocessors / outputTiles(shape.segments, 2))));
  const each = roundUp(Math.ceil(steps / splits), 4);
  return splits === 1 || each >= steps ? 0 : each;
}

const stepsOf = ({ cols }: Pick<Shape, 'cols'>): number => Math.ceil(cols / 128);

/** MatmulShape::output_tiles. */
function outputTiles(segments: readonly SegmentConfig[], warpgroups: number): number {
  const tileOutputs = (64 * warpgroups) / segments[0]!.formats.length;
  return segments.reduce((sum, { rows }) => sum + Math.ceil(rows / tileOutputs), 0);
}

type Tiled = Shape & Pick<Cut, 'tileRows' | 'warpgroups' | 'splitSteps' | 'apart'>;

const splitsOf = (c: Tiled): number => (c.splitSteps > 0 ? Math.ceil(stepsOf(c) / c.splitSteps) : 1);
const tilesOf = (c: Tiled): number => outputTiles(c.segments, c.warpgroups) * Math.ceil(c.rows / c.tileRows);

/** What blocks take in turn. */
const itemsOf = (c: Tiled): number => tilesOf(c) * (c.apart ? splitsOf(c) : 1);

/** Warps with sums, and as many that bring the activations. */
export const matmulThreads = ({ warpgroups }: Cut): number => 128 * (warpgroups + 1);

/** Sums that splits leave for each other, f32, and the counters that they count themselves with; none where one block has all. */
export function matmulMeeting(c: MatmulConfig): { readonly bytes: number; readonly counters: number } {
  if (!c.apart) return { bytes: 0, counters: 0 };
  const tiles = tilesOf(c);
  const bytes = 4 * tiles * splitsOf(c) * (c.tileRows / 2) * 128 * c.warpgroups;
  return { bytes, counters: tiles * 4 * c.warpgroups };
}

/** Two times 64 columns of a tile's rows, and a barrier for those who fill it and for those who empty it. */
const stageBytes = (tileRows: number): number => 256 * tileRows + 16;
/** To align it. */
const SWIZZLE_BYTES = 1024;

/** MatmulShape::shared_bytes. */
export const matmulShared = ({ stages, tileRows }: Cut): number =>
  roundUp(stages * stageBytes(tileRows), 16) + SWIZZLE_BYTES;
