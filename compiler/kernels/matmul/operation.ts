/** The operation of matmul/kernel.cuh: its operands, rules and description. */
import type { Checks } from '../../ir/checks.js';
import { type Effects, effects } from '../../ir/effects.js';
import type { Segment, Value } from '../../ir/ops.js';
import type { Weight } from '../../model/spec.js';
import { checkOutput, checkSegment, type Projection, productText } from '../projection/operation.js';
import { rowVectors } from '../segment.js';

/**
 * Fused, of many rows: matrix products of one operand, and what follows them row by row, as a projection has it:
 * cap(act(segments x input + bias) * scale) + residual. Of experts each row is of a pair, and multiplied with the matrices of
 * its expert.
 */
export interface Matmul
  extends Pick<Projection, 'input' | 'segments' | 'activation' | 'scale' | 'softCap' | 'residual' | 'output'> {
  readonly kind: 'matmul';
  /** How many the segments' matrices are of, all rows of one after all rows of the other; and the tiles of their pairs. */
  readonly experts?: { readonly count: number; readonly tiles: Value };
}

export const reads = ({ input, residual, experts }: Matmul): Effects =>
  experts ? effects([input, residual, experts.tiles]) : effects([input, residual], 'step');

export const writes = ({ output }: Matmul): Effects => effects([output]);

export function check(op: Matmul, checks: Checks): void {
  for (const segment of op.segments) checkSegment(segment, op, checks, op.experts?.count);
  checkOutput({ ...op, segments: segmentsOfOne(op) }, checks);
  if (op.experts) {
    checks.form('tiles', op.experts.tiles, 'i32');
    checks.sameRows(op.output, op.experts.tiles);
    checks.need(op.segments.length === 1 && !op.residual, 'experts with several segments, or a residual');
  }
  checks.form('input', op.input, 'operand');
  checks.sameRows(op.output, op.input, op.residual);
}

/** Of one expert. */
export const segmentsOfOne = ({ segments, experts }: Pick<Matmul, 'segments' | 'experts'>): readonly Segment[] =>
  experts
    ? segments.map(({ weights, biases }) => ({
        weights: weights.map((weight) => ({ ...weight, rows: weight.rows / experts.count })),
        biases,
      }))
    : segments;

export const about = (op: Matmul): string => {
  const ofOne = { ...op, segments: segmentsOfOne(op) };
  const experts = op.experts ? `${op.experts.count} experts, each its pairs: ` : '';
  return `${op.input.name} operand[${op.input.cols}]: ${experts}${productText(ofOne)} -> f32[${op.output.cols}]`;
};

export const vectors = ({ segments }: Matmul): (Weight | undefined)[] => segments.flatMap(rowVectors);
