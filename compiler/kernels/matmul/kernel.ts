/** matmul/kernel.cuh: matrix products of the rows of a step on tensor cores, and what follows them row by row. */
import { sum } from '../../arithmetic.js';
import { mostExperts } from '../expert_tiles.js';
import { cFloat, unlike, variant } from '../fields.js';
import { type Kernel, STATE_COUNTERS } from '../kernel.js';
import { segmentType } from '../projection/kernel.js';
import { productFlops } from '../segment.js';
import { strides } from '../tiling.js';
import { type MatmulConfig, matmulConfig, matmulMeeting, matmulShared, matmulThreads } from './config.js';
import { about, check, type Matmul, reads, vectors, writes } from './operation.js';

export const matmul: Kernel<Matmul, MatmulConfig> = {
  operation: 'matmul',
  include: 'matmul/kernel.cuh',
  body: 'matmul',
  args: 'MatmulArgs',
  reads,
  writes,
  check,
  about,
  vectors,
  matrices: ({ segments }) => segments,
  readBytes: ({ segments, output, experts }, program) => {
    const bytes = sum(segments.flatMap(({ weights }) => weights.map((weight) => weight.bytes)));
    return experts ? (bytes / experts.count) * mostExperts(output, program) : bytes;
  },
  flops: ({ segments, output: { rows } }) => {
    const share = typeof rows === 'object' ? rows.used / rows.experts : 1;
    return rows === 'output' ? {} : { row: productFlops(segments) * share };
  },
  configure: matmulConfig,
  launch: (config) => ({ blocks: config.blocks, threads: matmulThreads(config), sharedBytes: matmulShared(config) }),
  scratch: (op, [config]) => {
    const { bytes, counters } = matmulMeeting(config!);
    if (bytes === 0) return [];
    if (counters > STATE_COUNTERS) throw new Error(`${op.output.name} counts with ${counters} counters`);
    return [
      { region: 'state', part: 'counters' },
      { region: 'arena', name: partialName(op), bytes },
    ];
  },
  arguments: (op, at) => {
    const biases = op.segments.flatMap((segment) => segment.biases);
    const scales = op.segments.flatMap((segment) => segment.weights.map(({ scale }) => scale));
    return [
      op.experts ? at.value('step', op.experts.tiles) : at.state('step', 'step'),
      at.weights(),
      at.value('input', op.input),
      at.scales('input_scale', op.input),
      at.value('residual', op.residual),
      at.value('output', op.output),
      ...[0, 1, 2].map((i) => at.vector(`bias${i}`, biases[i])),
      ...[0, 1, 2].map((i) => at.vector(`matrix_scale${i}`, scales[i])),
      at.largest('largest', op.experts?.count),
      at.scratch('partial', partialName(op)),
      at.state('counters', 'counters'),
    ];
  },
  base: 'MatmulDefaults',
  fields: (c) => [
    `using segments = Segments<${c.segments.map(segmentType).join(', ')}>;`,
    ['int', { cols: c.cols, group_rows: c.groupRows, chunk_cols: c.chunkCols }],
    ['int', unlike(0, { experts: c.experts })],
    ['int', { rows: c.rows, tile_rows: c.tileRows, warpgroups: c.warpgroups, blocks: c.blocks }],
    ['int', { multiprocessor_blocks: c.blocksPerMultiprocessor, stages: c.stages }],
    ['int', { depth: c.depth, prefetch_steps: c.prefetchSteps, ...unlike(0, { split_steps: c.splitSteps }) }],
    ['int', unlike(0, { bias: c.bias, matrix_scale: c.matrixScale })],
    [
      'bool',
      unlike(false, {
        apart: c.apart,
        of_outputs: c.ofOutputs,
        scales_bias: c.scalesBias,
        add_residual: c.addResidual,
      }),
    ],
    ...(c.activation === 'none' ? [] : [`static constexpr Activation activation = Activation::${c.activation};`]),
    ['float', unlike(1, { scale: c.scale })],
    ...variant('cap', c.softCap > 0 && `SoftCap<${cFloat(c.softCap)}>`),
  ],
  asserts: (config, shape, sharedBytes) => [
    `MatmulShape<${shape}>::shared_bytes == ${sharedBytes}`,
    ...config.segments.map((segment) => {
      const { groupStride } = strides(segment.formats, config.cols, config);
      return `MatmulShape<${shape}>::group_bytes<${segmentType(segment)}> == ${groupStride}`;
    }),
  ],
};

const partialName = ({ output }: Matmul): string => `${output.name}.splits`;
