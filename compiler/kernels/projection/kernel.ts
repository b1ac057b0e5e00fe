/** projection/kernel.cuh: norm, matrix products of one input, and what follows them row by row. */

import { sum } from '../../arithmetic.js';
import { cFloat, unlike, variant } from '../fields.js';
import { inputFields } from '../input.js';
import type { Kernel } from '../kernel.js';
import { matrixFlops, productFlops } from '../segment.js';
import { strides } from '../tiling.js';
import {
  type L2Prefetch,
  type ProjectionConfig,
  projectionConfig,
  projectionShared,
  projectionWarps,
  type SegmentConfig,
} from './config.js';
import { about, check, type Projection, reads, vectors, writes } from './operation.js';

export const projection: Kernel<Projection, ProjectionConfig> = {
  operation: 'projection',
  include: 'projection/kernel.cuh',
  body: 'projection',
  args: 'ProjectionArgs',
  reads,
  writes,
  check,
  about,
  vectors,
  matrices: ({ segments }) => segments,
  flops: ({ segments, router }) => ({ row: productFlops(segments) + (router ? matrixFlops(router.weight) : 0) }),
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
      at.prefetched('prefetched'),
      ...[0, 1, 2].map((i) => at.vector(`matrix_scale${i}`, scales[i])),
      at.vector('sum_norm', op.inputSum?.norm.weight),
      at.value('sum_residual', op.inputSum?.residual),
      at.value('sum', op.inputSum?.output),
      at.vector('router', op.router?.weight),
      at.vector('router_norm', op.router?.norm.weight),
      at.value('logits', op.router?.logits),
    ];
  },
  base: 'ProjectionDefaults',
  fields: (c) => [
    `using segments = Segments<${c.segments.map(segmentType).join(', ')}>;`,
    ['int', { cols: c.cols, group_rows: c.groupRows, chunk_cols: c.chunkCols }],
    ['int', { row_warps: c.rowWarps, blocks: c.blocks, pass_groups: c.passGroups }],
    ['int', { stages: c.stages, prefetch_at_once: c.prefetchAtOnce, prefetch_stages: c.prefetchStages }],
    ['bool', unlike(false, { holds_all: c.holdsAll })],
    ...variant('l2_prefetch', c.l2Prefetch && prefetchType(c.l2Prefetch)),
    ...inputFields(c),
    ['int', unlike(0, { bias: c.bias, matrix_scale: c.matrixScale })],
    ['bool', unlike(false, { scales_bias: c.scalesBias, add_residual: c.addResidual })],
    ...(c.activation === 'none' ? [] : [`static constexpr Activation activation = Activation::${c.activation};`]),
    ['float', unlike(1, { scale: c.scale })],
    ...variant('cap', c.softCap > 0 && `SoftCap<${cFloat(c.softCap)}>`),
    ...variant('best', c.findBest && 'LargestRow'),
    ...variant('router', c.routes > 0 && `Router<${c.routes}>`),
  ],
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

function prefetchType({ blocks, bytes, segments }: L2Prefetch): string {
  const later = segments.map(({ groups, groupBytes }) => `PrefetchSegment<${groups}, ${groupBytes}>`);
  return `L2Prefetch<${[blocks, bytes, ...later].join(', ')}>`;
}

export const segmentType = ({ rows, formats }: SegmentConfig): string => `Segment<${rows}, ${formats.join(', ')}>`;
