/** scatter_rows.cuh: operands of rows at the places that they have for their experts. */
import { roundUp } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import { rowsOf } from '../ir/programs.js';
import type { Kernel } from './kernel.js';

/** Fused, of many rows: the input of each pair. */
export interface ScatterRows {
  readonly kind: 'scatter_rows';
  readonly input: Value;
  readonly places: Value;
  readonly output: Value;
}

export interface ScatterRowsConfig {
  readonly kind: 'scatter_rows';
  readonly rows: number;
  readonly pairs: number;
  readonly cols: number;
  readonly used: number;
  readonly threads: number;
}

export const scatterRows: Kernel<ScatterRows, ScatterRowsConfig> = {
  operation: 'scatter_rows',
  include: 'scatter_rows.cuh',
  body: 'scatter_rows',
  args: 'ScatterRowsArgs',
  reads: ({ input, places }) => effects([input, places], 'step'),
  writes: ({ output }) => effects([output]),
  check: ({ input, places, output }, checks) => {
    checks.equal('output', output.cols, 'input', input.cols);
    checks.form('input', input, 'operand');
    checks.form('output', output, 'operand');
    checks.form('places', places, 'i32');
    checks.sameRows(input, places);
    checks.need(typeof output.rows === 'object' && output.rows.used === places.cols, 'the output has no row a place');
  },
  about: ({ input, places, output }) =>
    `${input.name} operand[${input.cols}]: to its ${places.cols} places -> operand[${output.cols}]`,
  vectors: () => [],
  readBytes: () => 0,
  configure: ({ input, places, output }, { kind }, { program }) => ({
    kind: 'scatter_rows',
    rows: program.rows,
    pairs: rowsOf(output.rows, program),
    cols: input.cols,
    used: places.cols,
    threads: kind === 'cuda' ? Math.min(256, roundUp(Math.ceil(input.cols / 8), 32)) : 64,
  }),
  launch: ({ rows, threads }) => ({ blocks: rows, threads, sharedBytes: 0 }),
  scratch: () => [],
  arguments: (op, at) => [
    at.state('step', 'step'),
    at.value('input', op.input),
    at.scales('input_scale', op.input),
    at.value('places', op.places),
    at.value('output', op.output),
    at.scales('output_scale', op.output),
  ],
  fields: (c) => [['int', { rows: c.rows, pairs: c.pairs, cols: c.cols, used: c.used, threads: c.threads }]],
  asserts: () => [],
};
