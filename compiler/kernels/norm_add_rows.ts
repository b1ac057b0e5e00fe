/** norm_add_rows.cuh: output = norm(input) + residual of each row, by a block a row. */
import { roundUp } from '../arithmetic.js';
import { rowsOf } from '../ir/programs.js';
import { type NormConfig, normConfig, normFields } from './input.js';
import type { Kernel } from './kernel.js';
import { type NormAdd, normAdd } from './norm_add.js';
import { rowThreads } from './operand_rows.js';

/** Fused, of many rows: norm_add, where no operand takes it. */
export interface NormAddRows extends Omit<NormAdd, 'kind'> {
  readonly kind: 'norm_add_rows';
}

export interface NormAddRowsConfig extends NormConfig {
  readonly kind: 'norm_add_rows';
  readonly rows: number;
  readonly cols: number;
  readonly threads: number;
  readonly addResidual: boolean;
}

const ofOne = (op: NormAddRows): NormAdd => ({ ...op, kind: 'norm_add' });

export const normAddRows: Kernel<NormAddRows, NormAddRowsConfig> = {
  operation: 'norm_add_rows',
  include: 'norm_add_rows.cuh',
  body: 'norm_add_rows',
  args: 'NormAddRowsArgs',
  reads: (op) => ({ ...normAdd.reads(ofOne(op)), resources: ['step'] }),
  writes: (op) => normAdd.writes(ofOne(op)),
  check: (op, checks) => {
    normAdd.check(ofOne(op), checks);
    checks.sameRows(op.output, op.input, op.residual);
  },
  about: (op) => normAdd.about(ofOne(op)),
  vectors: (op) => normAdd.vectors(ofOne(op)),
  readBytes: () => 0,
  configure: ({ input, norm, residual, output }, target, { program }) => ({
    kind: 'norm_add_rows',
    rows: rowsOf(output.rows, program),
    cols: input.cols,
    threads: rowThreads(input.cols, target),
    addResidual: residual !== undefined,
    ...normConfig(norm),
  }),
  launch: ({ rows, threads }) => ({ blocks: rows, threads, sharedBytes: roundUp(threads / 8, 16) }),
  scratch: () => [],
  arguments: (op, at) => [at.state('step', 'step'), ...normAdd.arguments(ofOne(op), at)],
  fields: (c) => [
    ...normFields(c),
    ['int', { rows: c.rows, cols: c.cols, threads: c.threads }],
    ['bool', { add_residual: c.addResidual }],
  ],
  asserts: () => [],
};
