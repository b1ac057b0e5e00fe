/** The operation of projection/kernel.cuh: its operands, rules and description. */

import type { Checks } from '../../ir/checks.js';
import { type Effects, effects } from '../../ir/effects.js';
import type { Activate, GateMul, Norm, Segment, Value } from '../../ir/ops.js';
import type { Weight } from '../../model/spec.js';
import { checkInput, type InputSum, inputTexts, inputVectors } from '../input.js';
import type { RouterShare } from '../router.js';
import { activationText, isOfTwo, matrixText, rowVectors } from '../segment.js';

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
  checkInput(op, checks);
  checkOutput(op, checks);
  if (op.router) checkRouter(op.router, op.output.cols, checks);
}

type Product = Pick<Projection, 'segments' | 'scale' | 'softCap' | 'residual' | 'output'>;

export function checkOutput(op: Product, checks: Checks): void {
  const rows = op.segments.reduce((sum, { weights }) => sum + weights[0]!.rows, 0);
  checks.equal('output', op.output.cols, 'rows of the segments', rows);
  checks.constant('scale', op.scale);
  checks.cap(op.softCap);
  if (op.residual) checks.equal('residual', op.residual.cols, 'output', op.output.cols);
}

export function checkSegment(
  { weights, biases }: Segment,
  { activation, input }: Pick<Projection, 'activation' | 'input'>,
  checks: Checks,
  experts = 1,
): void {
  checks.equal('weights of a segment', weights.length, 'what the activation takes', isOfTwo(activation) ? 2 : 1);
  checks.equal('biases of a segment', biases.length, 'its weights', weights.length);
  for (const [i, weight] of weights.entries()) {
    checks.equal('input', input.cols, `${weight.name} cols`, weight.cols);
    checks.equal(`${weight.name} rows`, weight.rows, 'rows of its segment', weights[0]!.rows);
    checks.vector(biases[i], weight.rows);
    checks.vector(weight.scale, experts);
  }
}

function checkRouter({ norm, weight, logits }: RouterShare, size: number, checks: Checks): void {
  checks.norm(norm, size);
  checks.need(!norm.centred && !norm.bias, "a router's share of a norm about the mean");
  checks.equal(`${weight.name} cols`, weight.cols, 'output', size);
  checks.equal('logits', logits.cols, `${weight.name} rows`, weight.rows);
}

export function about(op: Projection): string {
  const router = op.router ? `; ${op.router.logits.name}: norm, ${matrixText(op.router.weight)}` : '';
  return `${op.input.name} f32[${op.input.cols}]: ${[...inputTexts(op), productText(op)].join(', ')} -> f32[${op.output.cols}]${router}`;
}

/** Matrices, and what follows them row by row. */
export function productText(op: Omit<Projection, 'kind'>): string {
  const matrices = op.segments.flatMap(({ weights }) => weights).map(matrixText);
  const constants = `${op.scale ? `, * ${op.scale}` : ''}${op.softCap ? `, capped at ${op.softCap}` : ''}`;
  const rest = `${activationText(op.activation)}${constants}${op.residual ? `, + ${op.residual.name}` : ''}`;
  return `${matrices.join(' + ')}${rest}`;
}

export const vectors = (op: Projection): (Weight | undefined)[] => [
  ...inputVectors(op),
  ...op.segments.flatMap(rowVectors),
  op.router?.norm.weight,
  op.router?.norm.bias,
  op.router?.weight,
];
