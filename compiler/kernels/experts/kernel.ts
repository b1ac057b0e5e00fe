/** experts.cuh: the choice of experts, and what the chosen ones make of the input. */
import { sum } from '../../arithmetic.js';
import type { Kernel } from '../kernel.js';
import { strides } from '../tiling.js';
import type { ExpertsConfig } from './config.js';
import { about, check, type Experts, reads, vectors, writes } from './operation.js';

export const experts: Kernel<Experts, ExpertsConfig> = {
  operation: 'experts',
  include: 'experts.cuh',
  body: 'experts',
  args: 'ExpertsArgs',
  reads,
  writes,
  check,
  about,
  vectors,
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
    ...[0, 1].map((i) => at.vector(`scale${i}`, op.segment.weights[i]?.scale)),
    at.vector('selection', op.selection),
  ],
  fields: (c) => [
    `using formats = ExpertFormats<${c.formats.join(', ')}>;`,
    ['int', { cols: c.cols, rows: c.rows, experts: c.experts, used: c.used }],
    ['int', { group_rows: c.groupRows, chunk_cols: c.chunkCols }],
    ['int', { warps: c.warps, ring: c.ring, early: c.early, blocks: c.blocks }],
    ['int', { bias: c.bias, matrix_scale: c.matrixScale }],
    ['int', { expert_groups: c.expertGroups, expert_groups_used: c.expertGroupsUsed }],
    ['int', { gathers: c.gathers, router_cols: c.routerCols }],
    ['bool', { over_all: c.weightsOver === 'all', sigmoid: c.sigmoid, scored: c.scored, biased: c.biased }],
    ['bool', { sum: c.sum, normalize: c.normalize }],
    ['bool', { gated: c.gated, add_shared: c.addShared, add_residual: c.addResidual }],
    `static constexpr Activation activation = Activation::${c.activation};`,
    ['float', { weights_scale: c.weightsScale, scale: c.scale, epsilon: c.epsilon }],
    ['float', { router_epsilon: c.routerEpsilon }],
  ],
  asserts: (config, shape, sharedBytes) => {
    const { groupStride } = strides(config.formats, config.cols, config);
    return [
      `ExpertsShape<${shape}>::shared_bytes <= ${sharedBytes}`,
      `ExpertsShape<${shape}>::group_bytes == ${groupStride}`,
    ];
  },
};
