/** The operation of matmul/kernel.cuh: its operands, rules and description. */
import type { Checks } from '../../ir/checks.js';
import { type Effects, effects } from '../../ir/effects.js';
import type { Weight } from '../../model/spec.js';
import { checkOutput, checkSegment, type Projection, productText } from '../projection/operation.js';
import { rowVectors } from '../segment.js';

/**
 * Fused, of many rows: matrix products of one operand, and what follows them row by row, as a projection has it:
 * cap(act(segments x input + bias) * scale) + residual.
 */
export interface Matmul
  extends Pick<Projection, 'input' | 'segments' | 'activation' | 'scale' | 'softCap' | 'residual' | 'output'> {
  readonly kind: 'matmul';
}

export const reads = ({ input, residual }: Matmul): Effects => effects([input, residual], 'step');

export const writes = ({ output }: Matmul): Effects => effects([output]);

export function check(op: Matmul, checks: Checks): void {
  for (const segment of op.segments) checkSegment(segment, op, checks);
  checkOutput(op, checks);
  checks.form('input', op.input, 'operand');
  checks.sameRows(op.output, op.input, op.residual);
}

export const about = (op: Matmul): string =>
  `${op.input.name} operand[${op.input.cols}]: ${productText(op)} -> f32[${op.output.cols}]`;

export const vectors = ({ segments }: Matmul): (Weight | undefined)[] => segments.flatMap(rowVectors);
