/** projection.cuh: norm, matrix products of one input, and what follows them row by row. */
import { sum } from '../../arithmetic.js';
import type { Kernel } from '../kernel.js';
import { strides } from '../tiling.js';
import {
  type ProjectionConfig,
  projectionConfig,
  projectionShared,
  projectionWarps,
  type SegmentConfig,
} from './config.js';
import { about, check, type Projection, reads, vectors, writes } from './operation.js';

export const projection: Kernel<Projection, ProjectionConfig> = {
  operation: 'projection',
  include: 'projection.cuh',
  body: 'projection',
  args: 'ProjectionArgs',
  reads,
  writes,
  check,
  about,
  vectors,
  readBytes: ({ segments, router }) =>
    sum(segments.flatMap(({ weights }) => weights.map(({ bytes }) => bytes))) + (router?.weight.bytes ?? 0),
  configure: (op, target) => projectionConfig(op, target),
  launch: (config) => ({
    blocks: config.blocks,
    threads: projectionWarps(config) * 32,
    sharedBytes: Math.max(config.leastShared, projectionShared(config)),
  }),
  scratch: () => [],
  arguments: (op, at) => {
    const biases = op.segments.flatMap((segment) => segment.biases);
    const scales = op.segments.flatMap((segment) => segment.weights.map(({ scale }) => scale));
    return [
      at.weights(),
      at.value('input', op.input),
      at.vector('norm', op.norm?.weight),
      at.vector('norm_bias', op.norm?.bias),
      at.value('residual', op.residual),
      at.value('output', op.output),
      at.value('best', op.best),
      ...[0, 1, 2].map((i) => at.vector(`bias${i}`, biases[i])),
      at.ahead('ahead'),
      ...[0, 1, 2].map((i) => at.vector(`scale${i}`, scales[i])),
      at.vector('sum_norm', op.inputSum?.norm.weight),
      at.value('sum_residual', op.inputSum?.residual),
      at.value('sum', op.inputSum?.output),
      at.vector('router', op.router?.weight),
      at.vector('router_norm', op.router?.norm.weight),
      at.value('logits', op.router?.logits),
    ];
  },
  fields: (config) => {
    const { blocks, bytes, segments: later } = config.ahead ?? { blocks: 0, bytes: 0, segments: [] };
    const ahead = [blocks, bytes, ...later.map(({ groups, groupBytes }) => `AheadSegment<${groups}, ${groupBytes}>`)];
    return [
      `using segments = Segments<${config.segments.map(segmentType).join(', ')}>;`,
      `using ahead = Ahead<${ahead.join(', ')}>;`,
      ['int', { cols: config.cols, group_rows: config.groupRows, chunk_cols: config.chunkCols }],
      ['int', { row_warps: config.rowWarps, round_groups: config.roundGroups }],
      ['int', { ring: config.ring, early: config.early, paced: config.paced }],
      ['int', { blocks: config.blocks, routes: config.routes }],
      ['int', { bias: config.bias, matrix_scale: config.matrixScale }],
      [
        'bool',
        {
          whole: config.whole,
          sum_input: config.sumInput,
          store_sum: config.storeSum,
          normalize: config.normalize,
          centred: config.centred,
          norm_bias: config.normBias,
          add_residual: config.addResidual,
          find_best: config.findBest,
          scales_bias: config.scalesBias,
        },
      ],
      `static constexpr Activation activation = Activation::${config.activation};`,
      [
        'float',
        {
          sum_epsilon: config.sumEpsilon,
          epsilon: config.epsilon,
          scale: config.scale,
          soft_cap: config.softCap,
        },
      ],
    ];
  },
  asserts: (config, shape, sharedBytes) => [
    // A launch may ask for more than the kernel needs, and then only that can be told.
    `ProjectionShape<${shape}>::shared_bytes ${sharedBytes > config.leastShared ? '==' : '<='} ${sharedBytes}`,
    ...config.segments.map((segment) => {
      const { groupStride } = strides(segment.formats, config.cols, config);
      return `ProjectionShape<${shape}>::group_bytes<${segmentType(segment)}> == ${groupStride}`;
    }),
  ],
  tuned: [
    ...(['cols', 'segments', 'normalize', 'centred', 'normBias', 'activation', 'scale', 'softCap'] as const),
    ...(['addResidual', 'findBest', 'bias', 'matrixScale', 'scalesBias', 'sumInput', 'storeSum', 'routes'] as const),
  ],
};

const segmentType = ({ rows, formats }: SegmentConfig): string => `Segment<${rows}, ${formats.join(', ')}>`;
