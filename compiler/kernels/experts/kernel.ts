/** experts/kernel.cuh: the choice of experts, and what the chosen ones make of the input. */
import { sum } from '../../arithmetic.js';
import { cFloat, unlike, variant } from '../fields.js';
import type { Kernel } from '../kernel.js';
import { productFlops } from '../segment.js';
import { strides } from '../tiling.js';
import type { ExpertsConfig } from './config.js';
import { about, check, type Experts, reads, vectors, writes } from './operation.js';
import { routingFields } from './routing.js';

export const experts: Kernel<Experts, ExpertsConfig> = {
  operation: 'experts',
  include: 'experts/kernel.cuh',
  body: 'experts',
  args: 'ExpertsArgs',
  reads,
  writes,
  check,
  about,
  vectors,
  matrices: ({ segment }) => [segment],
  flops: ({ segment, experts: { count, used } }) => ({ row: (productFlops([segment]) / count) * used }),
  readBytes: ({ segment, experts: { count, used } }) => sum(segment.weights.map(({ bytes }) => (bytes / count) * used)),
  launch: ({ blocks, warps, sharedBytes }) => ({ blocks, threads: warps * 32, sharedBytes }),
  scratch: () => [],
  arguments: (op, at) => [
    at.weights(),
    at.value('input', op.input),
    at.value('logits', op.logits),
    at.vector('norm', op.norm?.weight),
    at.value('shared', op.shared),
    at.value('residual', op.residual),
    at.value('output', op.output),
    ...[0, 1].map((i) => at.vector(`bias${i}`, op.segment.biases[i])),
    ...[0, 1].map((i) => at.vector(`matrix_scale${i}`, op.segment.weights[i]?.scale)),
    at.vector('selection', op.selection),
  ],
  base: 'ExpertsDefaults',
  fields: (c) => [
    `using formats = ExpertFormats<${c.formats.join(', ')}>;`,
    ['int', { cols: c.cols, rows: c.rows, experts: c.experts, used: c.used }],
    ['int', { group_rows: c.groupRows, chunk_cols: c.chunkCols }],
    ['int', { warps: c.warps, blocks: c.blocks, stages: c.stages, prefetch_stages: c.prefetchStages }],
    ...variant('norm', c.normalize && `RmsNorm<${cFloat(c.epsilon)}>`),
    ...variant(
      'logits',
      c.accumulated > 0 && `SummedLogits<${c.accumulated}, ${c.routerCols}, ${cFloat(c.routerEpsilon)}>`,
    ),
    ...routingFields(c),
    ['float', unlike(1, { scale: c.scale })],
    ...(c.activation === 'none' ? [] : [`static constexpr Activation activation = Activation::${c.activation};`]),
    ['int', unlike(0, { bias: c.bias, matrix_scale: c.matrixScale })],
    ['bool', unlike(false, { combines: c.sum, add_shared: c.addShared, gated: c.gated, add_residual: c.addResidual })],
  ],
  asserts: (config, shape, sharedBytes) => {
    const { groupStride } = strides(config.formats, config.cols, config);
    return [
      `ExpertsShape<${shape}>::shared_bytes <= ${sharedBytes}`,
      `ExpertsShape<${shape}>::group_bytes == ${groupStride}`,
    ];
  },
};
