/** norm_add.cuh: output = norm(input) + residual, by one block. */

import { roundUp } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Norm, Value } from '../ir/ops.js';
import type { Target } from '../target/target.js';
import type { Kernel } from './kernel.js';

/**
 * Fused: norm(input) + residual, where the norm follows a projection, whose blocks know only a few of the rows, and no
 * projection takes it as its InputSum.
 */
export interface NormAdd {
  readonly kind: 'norm_add';
  readonly input: Value;
  readonly norm: Norm;
  readonly residual?: Value;
  readonly output: Value;
}

export interface NormAddConfig {
  readonly kind: 'norm_add';
  readonly size: number;
  readonly threads: number;
  readonly centred: boolean;
  readonly normBias: boolean;
  readonly addResidual: boolean;
  readonly epsilon: number;
}

export const normAdd: Kernel<NormAdd, NormAddConfig> = {
  operation: 'norm_add',
  include: 'norm_add.cuh',
  body: 'norm_add',
  args: 'NormAddArgs',
  reads: ({ input, residual }) => effects([input, residual]),
  writes: ({ output }) => effects([output]),
  check: (op, checks) => {
    checks.equal('output', op.output.cols, 'input', op.input.cols);
    checks.norm(op.norm, op.input.cols);
    if (op.residual) checks.equal('residual', op.residual.cols, 'output', op.output.cols);
  },
  about: ({ input, residual, output }) =>
    `${input.name} f32[${input.cols}]: norm${residual ? `, + ${residual.name}` : ''} -> f32[${output.cols}]`,
  vectors: ({ norm }) => [norm.weight, norm.bias],
  readBytes: () => 0,
  configure: normAddConfig,
  launch: ({ threads }) => ({ blocks: 1, threads, sharedBytes: (threads / 32) * 4 }),
  scratch: () => [],
  arguments: (op, at) => [
    at.value('input', op.input),
    at.vector('norm', op.norm.weight),
    at.vector('norm_bias', op.norm.bias),
    at.value('residual', op.residual),
    at.value('output', op.output),
  ],
  fields: ({ size, threads, centred, normBias, addResidual, epsilon }) => [
    ['int', { size, threads }],
    ['bool', { centred, norm_bias: normBias, add_residual: addResidual }],
    ['float', { epsilon }],
  ],
  asserts: () => [],
};

function normAddConfig({ input, norm, residual }: NormAdd, target: Target): NormAddConfig {
  return {
    kind: 'norm_add',
    size: input.cols,
    threads: Math.min(target.kind === 'cuda' ? 1024 : 64, roundUp(input.cols, 32)),
    centred: norm.centred ?? false,
    normBias: norm.bias !== undefined,
    addResidual: residual !== undefined,
    epsilon: norm.epsilon,
  };
}
