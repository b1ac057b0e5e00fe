/** The configuration of matmul/kernel.cuh: its tiles and pipeline; shared memory. */
import { roundUp } from '../../arithmetic.js';
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
  readonly stages: number;
  /** Steps of 128 columns whose weights are on their way to registers. */
  readonly depth: number;
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
type Cut = Pick<MatmulConfig, 'tileRows' | 'warpgroups' | 'stages' | 'depth'>;

export function matmulConfig(op: Matmul, target: Target, { program, weights: placed }: Setting): MatmulConfig {
  const weights = op.segments.flatMap((segment) => segment.weights);
  const rows = rowsOf(op.output.rows, program);
  const cut = cutOf(rows, target);
  return {
    kind: 'matmul',
    cols: op.input.cols,
    ...placed.tilingOf(weights[0]!),
    segments: op.segments.map((segment) => ({
      rows: segment.weights[0]!.rows,
      formats: segment.weights.map(({ type }) => type),
    })),
    rows,
    ofOutputs: op.output.rows === 'output',
    ...cut,
    blocks: Math.min(target.multiprocessors, tilesOf(op, cut) * Math.ceil(rows / cut.tileRows)),
    activation: activationOf(op.activation),
    scale: op.scale ?? 1,
    softCap: op.softCap ?? 0,
    addResidual: op.residual !== undefined,
    bias: maskOf(op.segments.flatMap((segment) => segment.biases)),
    matrixScale: maskOf(weights.map(({ scale }) => scale)),
    scalesBias: weights.some(({ scalesBias }) => scalesBias),
  };
}

/** The least tile that has all rows; of many rows as many as a lane has registers for. */
function cutOf(rows: number, { kind }: Target): Cut {
  const most = kind === 'cuda' ? 128 : 16;
  let tileRows = 8;
  while (tileRows < Math.min(rows, most)) tileRows *= 2;
  return { tileRows, warpgroups: kind === 'cuda' ? 2 : 1, stages: kind === 'cuda' ? 4 : 2, depth: 2 };
}

/** MatmulShape::output_tiles. */
function tilesOf({ segments }: Matmul, { warpgroups }: Cut): number {
  const tileOutputs = (64 * warpgroups) / segments[0]!.weights.length;
  return segments.reduce((sum, { weights }) => sum + Math.ceil(weights[0]!.rows / tileOutputs), 0);
}

/** Warps with sums, and one that brings the activations. */
export const matmulThreads = ({ warpgroups }: Cut): number => 32 * (4 * warpgroups + 1);

const ROW_BYTES = 128;
/** To align it. */
const SWIZZLE_BYTES = 8 * ROW_BYTES;

/** MatmulShape::shared_bytes. */
export const matmulShared = ({ stages, tileRows }: Cut): number =>
  roundUp(stages * (2 * tileRows * ROW_BYTES + 16), 16) + SWIZZLE_BYTES;
