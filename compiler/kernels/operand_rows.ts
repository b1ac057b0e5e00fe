/** operand_rows.cuh: rows as operands of matrix products: sum and norm where there are such, and f16 as matmul reads it. */
import { roundUp } from '../arithmetic.js';
import { effects } from '../ir/effects.js';
import type { Norm, Value } from '../ir/ops.js';
import { rowsOf } from '../ir/programs.js';
import type { Target } from '../target/target.js';
import { unlike } from './fields.js';
import {
  checkInput,
  type InputConfig,
  type InputSum,
  inputConfig,
  inputFields,
  inputTexts,
  inputVectors,
} from './input.js';
import type { Kernel } from './kernel.js';

/**
 * Fused, of many rows: norm(input), or norm(norm(input) + residual), as an operand. Where the input has a row a token and
 * the output a row an output it is of those rows whose logits are wanted.
 */
export interface OperandRows {
  readonly kind: 'operand_rows';
  readonly input: Value;
  /** Stands in for the input. */
  readonly inputSum?: InputSum;
  readonly norm?: Norm;
  /** Of rows that are pairs: says how many there are. */
  readonly tiles?: Value;
  readonly output: Value;
}

export interface OperandRowsConfig extends InputConfig {
  readonly kind: 'operand_rows';
  readonly cols: number;
  /** Of the output, at most; and of the input where they are others. */
  readonly rows: number;
  readonly gather: boolean;
  readonly threads: number;
  readonly blocks: number;
}

const gathers = ({ input, output }: OperandRows): boolean => input.rows !== output.rows;

export const operandRows: Kernel<OperandRows, OperandRowsConfig> = {
  operation: 'operand_rows',
  include: 'operand_rows.cuh',
  body: 'operand_rows',
  args: 'OperandRowsArgs',
  reads: ({ input, inputSum, tiles }) =>
    tiles ? effects([input, inputSum?.residual, tiles]) : effects([input, inputSum?.residual], 'step'),
  writes: ({ inputSum, output }) => effects([output, inputSum?.output]),
  check: (op, checks) => {
    const { input, inputSum, output } = op;
    checkInput(op, checks);
    checks.equal('output', output.cols, 'input', input.cols);
    checks.form('output', output, 'operand');
    checks.need((op.tiles === undefined) === (typeof output.rows !== 'object'), 'pairs and tiles do not come together');
    if (op.tiles) {
      checks.form('tiles', op.tiles, 'i32');
      checks.sameRows(op.tiles, input, output);
    }
    checks.sameRows(input, inputSum?.residual);
    checks.sameRows(output, inputSum?.output);
  },
  about: (op) => {
    const texts = [...(gathers(op) ? ['rows whose logits are wanted'] : []), ...inputTexts(op)];
    return `${op.input.name} f32[${op.input.cols}]: ${[...texts, 'f16'].join(', ')} -> operand[${op.output.cols}]`;
  },
  vectors: inputVectors,
  readBytes: () => 0,
  configure: (op, target, { program }) => ({
    kind: 'operand_rows',
    cols: op.input.cols,
    rows: rowsOf(op.output.rows, program),
    gather: gathers(op),
    threads: rowThreads(op.input.cols, target),
    blocks: Math.min(rowsOf(op.output.rows, program), mostBlocks(target)),
    ...inputConfig(op),
  }),
  launch: ({ blocks, threads }) => ({ blocks, threads, sharedBytes: roundUp(threads / 8, 16) }),
  scratch: () => [],
  arguments: (op, at) => [
    op.tiles ? at.value('step', op.tiles) : at.state('step', 'step'),
    at.value('input', op.input),
    at.vector('sum_norm', op.inputSum?.norm.weight),
    at.value('sum_residual', op.inputSum?.residual),
    at.value('sum', op.inputSum?.output),
    at.vector('norm', op.norm?.weight),
    at.vector('norm_bias', op.norm?.bias),
    at.state('output_rows', 'output_rows'),
    at.value('output', op.output),
    at.scales('output_scale', op.output),
  ],
  fields: (c) => [
    ['int', { rows: c.rows, cols: c.cols, threads: c.threads }],
    ['bool', unlike(false, { gather: c.gather })],
    ...inputFields(c),
  ],
  base: 'OperandRowsDefaults',
  asserts: () => [],
};

/** Simulated threads are fibers, all of a node at once. */
const mostBlocks = ({ kind }: Target): number => (kind === 'host' ? 128 : Number.POSITIVE_INFINITY);

/** What a block's threads have registers for. */
export const MOST_COLS = 32768;

/**
 * By the columns alone: what a thread adds up decides the bits, which are the same in all programs. Measured on an H200, 2048
 * rows: of 4096 columns 22 us with 256 threads, 24 with 512; of 14336 62 with 448, 67 with 896.
 */
export const rowThreads = (cols: number, { kind }: Target): number =>
  kind === 'cuda' ? roundUp(Math.max(Math.min(256, Math.ceil(cols / 16)), Math.ceil(cols / 32)), 32) : 64;
