/** matmul/largest.cuh: the largest magnitude of each matrix of a product, found once when the weights are on the device. */
import { sum } from '../../arithmetic.js';
import { effects } from '../../ir/effects.js';
import type { Segment } from '../../ir/ops.js';
import type { Kernel } from '../kernel.js';
import type { SegmentConfig } from '../projection/config.js';
import { segmentType } from '../projection/kernel.js';
import { matrixText } from '../segment.js';
import type { Tiling } from '../tiling.js';
import { segmentConfigs } from './config.js';
import type { Matmul } from './operation.js';

/** Fused, of the program that loads: of a product's matrices. */
export interface FindLargest {
  readonly kind: 'find_largest';
  readonly name: string;
  readonly segments: readonly Segment[];
  /** Of whose matrices the segments are. */
  readonly experts: number;
}

export interface LargestConfig extends Tiling {
  readonly kind: 'find_largest';
  readonly cols: number;
  /** Matrices of each of a segment's, one after another. */
  readonly experts: number;
  readonly segments: readonly SegmentConfig[];
}

/** A warp a row. */
const WARPS = 8;

export const findLargest: Kernel<FindLargest, LargestConfig> = {
  operation: 'find_largest',
  include: 'matmul/largest.cuh',
  body: 'find_largest',
  args: 'LargestArgs',
  reads: () => effects([]),
  writes: () => effects([]),
  check: () => {},
  about: ({ segments }) =>
    `largest magnitudes of ${segments.flatMap(({ weights }) => weights.map(matrixText)).join(' + ')}`,
  vectors: () => [],
  matrices: ({ segments }) => segments,
  readBytes: ({ segments }) => sum(segments.flatMap(({ weights }) => weights.map(({ bytes }) => bytes))),
  configure: ({ segments, experts }, _target, { weights }) => {
    const first = segments[0]!.weights[0]!;
    const { cols } = first;
    return { kind: 'find_largest', cols, experts, ...weights.tilingOf(first), segments: segmentConfigs(segments) };
  },
  launch: ({ segments }) => {
    const rows = sum(segments.map((segment) => segment.rows * segment.formats.length));
    return { blocks: Math.ceil(rows / WARPS), threads: 32 * WARPS, sharedBytes: 0 };
  },
  scratch: () => [],
  arguments: ({ experts }, at) => [at.weights(), at.largest('largest', experts)],
  fields: (c) => [
    `using segments = Segments<${c.segments.map(segmentType).join(', ')}>;`,
    ['int', { cols: c.cols, group_rows: c.groupRows, chunk_cols: c.chunkCols, experts: c.experts }],
  ],
  asserts: () => [],
};

/** For each product of many rows. */
export const largestFor = ({ output, segments, experts }: Matmul): FindLargest => ({
  kind: 'find_largest',
  name: `${output.name}_largest`,
  segments,
  experts: experts?.count ?? 1,
});
