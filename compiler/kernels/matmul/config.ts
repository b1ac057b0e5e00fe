/** The configuration of matmul/kernel.cuh: its tiles and pipeline; shared memory. */
import { roundUp } from '../../arithmetic.js';
import type { Segment, Value } from '../../ir/ops.js';
import { type ProgramKind, rowsOf } from '../../ir/programs.js';
import type { Activation } from '../../model/activations.js';
import type { Target } from '../../target/target.js';
import { expertTileRows, expertTiles, pairsIn } from '../expert_tiles.js';
import type { Setting } from '../kernel.js';
import type { SegmentConfig } from '../projection/config.js';
import { activationOf, maskOf } from '../segment.js';
import type { Tiling } from '../tiling.js';
import { type Matmul, segmentsOfOne } from './operation.js';

/** matmul/config.cuh */
export interface MatmulConfig extends Tiling {
  readonly kind: 'matmul';
  readonly cols: number;
  /** 0, or how many there are: the segments are of one, and the rows are pairs. */
  readonly experts: number;
  readonly segments: readonly SegmentConfig[];
  /** Of the program; or its outputs, where the product is of those rows whose logits are wanted. */
  readonly rows: number;
  readonly ofOutputs: boolean;
  readonly tileRows: number;
  readonly warpgroups: number;
  readonly blocks: number;
  readonly blocksPerMultiprocessor: number;
  readonly stages: number;
  /** Steps of 128 columns whose weights are on their way to registers, and to L2 further ahead; 0: none. */
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
  const shape = { cols: op.input.cols, segments: segmentConfigs(segmentsOfOne(op)), rows };
  const { cut, items } = op.experts ? expertsCut(op.experts.tiles, shape, target, program) : rowsCut(shape, target);
  return {
    kind: 'matmul',
    cols: op.input.cols,
    experts: op.experts?.count ?? 0,
    ...placed.tilingOf(weights[0]!),
    segments: shape.segments,
    rows,
    ofOutputs: op.output.rows === 'output',
    ...cut,
    blocks: Math.min(items, target.multiprocessors),
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

function rowsCut(shape: Shape, target: Target): { cut: Cut; items: number } {
  const cut = cutOf(shape, target);
  return { cut, items: itemsOf({ ...shape, ...cut }) };
}

/** Tiles are those of the list. Experts are many, so the columns are not split. */
function expertsCut(tiles: Value, shape: Shape, target: Target, program: ProgramKind): { cut: Cut; items: number } {
  const pairs = pairsIn(tiles);
  const tileRows = expertTileRows(pairs, program, target);
  const cut = { ...tileCut(tileRows, target), splitSteps: 0, apart: false };
  return { cut, items: outputTiles(shape.segments, cut.warpgroups) * expertTiles(pairs, program, tileRows) };
}

function cutOf(shape: Shape, target: Target): Cut {
  const splitSteps = splitStepsOf(shape, target);
  const { rows } = shape;
  const least = leastTile(rows);
  if (target.kind === 'host')
    return { ...tileCut(Math.min(32, least), target), splitSteps, apart: splitSteps > 0 && rows <= 16 };
  if (rows <= 64) {
    const cut = isWide(shape, splitSteps, target) ? wideCut(least) : tileCut(least, target);
    return { ...cut, splitSteps, apart: splitSteps > 0 };
  }
  return { ...largeCut(largeTile(shape, splitSteps, target), target), splitSteps, apart: false };
}

type TileCut = Omit<Cut, 'splitSteps' | 'apart'>;

function tileCut(tileRows: number, target: Target): TileCut {
  if (target.kind === 'host') return { tileRows, warpgroups: 1, stages: 2, depth: 1, prefetchSteps: 1 };
  if (tileRows > 64) return largeCut(tileRows, target);
  return { tileRows, warpgroups: 2, stages: tileRows === 64 ? 4 : 8, depth: 2, prefetchSteps: 4 };
}

const WIDE_WARPGROUPS = 4;

/**
 * Few rows of many outputs: with twice the warps fewer cycles pass in which none has an instruction ready. 8 rows of 28672 x 4096
 * Q4_K take 31 us on an H200, and 38 with two warpgroups.
 */
function wideCut(tileRows: number): TileCut {
  const [stages, depth] = tileRows === 64 ? [4, 1] : [8, 2];
  return { tileRows, warpgroups: WIDE_WARPGROUPS, stages, depth, prefetchSteps: 0 };
}

/** The larger tiles still keep most multiprocessors busy. */
const isWide = ({ segments }: Shape, splitSteps: number, { kind, archs, multiprocessors }: Target): boolean =>
  kind === 'cuda' &&
  archs.every((arch) => arch === 'sm_90a') &&
  splitSteps === 0 &&
  outputTiles(segments, WIDE_WARPGROUPS) >= 0.8 * multiprocessors;

/** Products take so long that weights come in time; fetching them into L2 as well made tiles 3 to 6% slower on an H200. */
function largeCut(tileRows: number, { sharedBytes }: Target): TileCut {
  const stages = Math.min(6, Math.floor((sharedBytes - 1100) / stageBytes(tileRows)));
  return { tileRows, warpgroups: 2, stages, depth: 1, prefetchSteps: 0 };
}

const leastTile = (rows: number): number => 2 ** Math.max(3, Math.ceil(Math.log2(rows)));

/**
 * What a tile takes whatever its rows, in rows: weights become halves once a tile, and its start and end are not overlapped. Of
 * 28672 x 4096 Q4_K a tile of 128 rows takes 28 us and one of 256 rows 47 us on an H200.
 */
const TILE_OVERHEAD = 64;

/** Of many rows as many as a lane has registers for, or half of it where the last tiles are fuller then. */
function largeTile(shape: Shape, splitSteps: number, target: Target): number {
  if (!target.archs.every((arch) => arch === 'sm_90a')) return splitSteps > 0 || target.sharedBytes < 140000 ? 64 : 128;
  if (splitSteps > 0 || shape.rows < 256) return 128;
  const cost = (tileRows: number) =>
    Math.ceil(itemsOf({ ...shape, tileRows, warpgroups: 2, splitSteps, apart: false }) / target.multiprocessors) *
    (TILE_OVERHEAD + tileRows);
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
