/** The operation of projection/kernel.cuh: its operands, rules and description. */

import type { Checks } from '../../ir/checks.js';
import { type Effects, effects } from '../../ir/effects.js';
import type { Activate, GateMul, Norm, Segment, Value } from '../../ir/ops.js';
import type { Weight } from '../../model/spec.js';
import type { RouterShare } from '../router.js';
import { activationText, isOfTwo, matrixText, rowVectors } from '../segment.js';

/** What a projection makes of its input before all else: norm(input) + residual, of a norm about 0 without a bias. */
export interface InputSum {
  readonly norm: Norm;
  readonly residual: Value;
  /** The sum, left for later operations; absent: none reads it. */
  readonly output?: Value;
}

/**
 * Fused: norm, matrix products of one input, and what follows them row by row.
 * output is the concatenation of the segments' rows, in order:
 * cap(act(segments x norm(input) + bias) * scale) + residual.
 */
export interface Projection {
  readonly kind: 'projection';
  readonly input: Value;
  /** Stands in for the input. */
  readonly inputSum?: InputSum;
  readonly norm?: Norm;
  readonly segments: readonly Segment[];
  readonly activation?: GateMul['kind'] | Activate['kind'];
  readonly scale?: number;
  readonly softCap?: number;
  readonly residual?: Value;
  readonly output: Value;
  /** The output is the logits: each block also leaves its largest one and that one's row here. */
  readonly best?: Value;
  /** The experts that read the output are chosen by what the blocks leave here besides. */
  readonly router?: RouterShare;
}

export const reads = ({ input, inputSum, residual }: Projection): Effects =>
  effects([input, inputSum?.residual, residual]);

export const writes = ({ output, best, inputSum, router }: Projection): Effects =>
  effects([output, best, inputSum?.output, router?.logits]);

export function check(op: Projection, checks: Checks): void {
  for (const segment of op.segments) checkSegment(segment, op, checks);
  if (op.inputSum) checkInputSum(op.inputSum, op, checks);
  if (op.norm) checks.norm(op.norm, op.input.cols);
  const rows = op.segments.reduce((sum, { weights }) => sum + weights[0]!.rows, 0);
  checks.equal('output', op.output.cols, 'rows of the segments', rows);
  checks.constant('scale', op.scale);
  checks.cap(op.softCap);
  if (op.residual) checks.equal('residual', op.residual.cols, 'output', op.output.cols);
  if (op.router) checkRouter(op.router, op.output.cols, checks);
}

function checkSegment({ weights, biases }: Segment, { activation, input }: Projection, checks: Checks): void {
  checks.equal('weights of a segment', weights.length, 'what the activation takes', isOfTwo(activation) ? 2 : 1);
  checks.equal('biases of a segment', biases.length, 'its weights', weights.length);
  for (const [i, weight] of weights.entries()) {
    checks.equal('input', input.cols, `${weight.name} cols`, weight.cols);
    checks.equal(`${weight.name} rows`, weight.rows, 'rows of its segment', weights[0]!.rows);
    checks.vector(biases[i], weight.rows);
    checks.vector(weight.scale, 1);
  }
}

function checkInputSum(
  { norm, residual, output = residual }: InputSum,
  { input, norm: own }: Projection,
  checks: Checks,
): void {
  checks.norm(norm, input.cols);
  checks.need(!norm.centred && !norm.bias && !own?.centred, 'a sum of the input beside a norm about the mean');
  checks.equal('what is added to the input', residual.cols, 'input', input.cols);
  checks.equal('the sum', output.cols, 'input', input.cols);
}

function checkRouter({ norm, weight, logits }: RouterShare, size: number, checks: Checks): void {
  checks.norm(norm, size);
  checks.need(!norm.centred && !norm.bias, "a router's share of a norm about the mean");
  checks.equal(`${weight.name} cols`, weight.cols, 'output', size);
  checks.equal('logits', logits.cols, `${weight.name} rows`, weight.rows);
}

export function about(op: Projection): string {
  const matrices = op.segments.flatMap(({ weights }) => weights).map(matrixText);
  const product = `${inputSumText(op)}${op.norm ? 'norm, ' : ''}${matrices.join(' + ')}`;
  const constants = `${op.scale ? `, * ${op.scale}` : ''}${op.softCap ? `, capped at ${op.softCap}` : ''}`;
  const rest = `${activationText(op.activation)}${constants}${op.residual ? `, + ${op.residual.name}` : ''}`;
  const router = op.router ? `; ${op.router.logits.name}: norm, ${matrixText(op.router.weight)}` : '';
  return `${op.input.name} f32[${op.input.cols}]: ${product}${rest} -> f32[${op.output.cols}]${router}`;
}

function inputSumText({ inputSum: sum }: Projection): string {
  return sum ? `norm, + ${sum.residual.name}${sum.output ? ` -> ${sum.output.name}` : ''}, ` : '';
}

export const vectors = ({ inputSum, norm, segments, router }: Projection): (Weight | undefined)[] => [
  inputSum?.norm.weight,
  inputSum?.norm.bias,
  norm?.weight,
  norm?.bias,
  ...segments.flatMap(rowVectors),
  router?.norm.weight,
  router?.norm.bias,
  router?.weight,
];
