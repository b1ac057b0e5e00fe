/** The operation of experts/kernel.cuh: its operands, rules and description. */

import type { Checks } from '../../ir/checks.js';
import { type Effects, effects } from '../../ir/effects.js';
import type { Activate, GateMul, Norm, Segment, Value } from '../../ir/ops.js';
import type { ExpertsSpec, Weight } from '../../model/spec.js';
import { activationText, isOfTwo, rowVectors, shortName } from '../segment.js';

/**
 * Fused: route, and what the chosen experts make of the input. `logits`: of the experts, and one more where the
 * shared output is gated.
 * Without `sum` the experts' rows one after the other: activation(segment x norm(input) + bias).
 * With it, of an input for each of those chosen: (sum(weight * (segment x input + bias)) + shared * sigmoid(last logit))
 * * scale + residual.
 */
export interface Experts {
  readonly kind: 'experts';
  readonly input: Value;
  readonly logits: Value;
  readonly norm?: Norm;
  readonly experts: ExpertsSpec;
  readonly selection?: Weight;
  /** Of all experts' rows; two weights where the activation is of two. */
  readonly segment: Segment;
  readonly activation?: GateMul['kind'] | Activate['kind'];
  readonly sum?: { readonly scale?: number };
  readonly shared?: Value;
  /** The last logit gates the shared output. */
  readonly gated?: true;
  /** The logits are those of a RouterShare with this norm: sums that blocks have added to, not yet divided by the root mean square. */
  readonly accumulated?: Norm;
  readonly residual?: Value;
  readonly output: Value;
}

export const reads = ({ input, logits, shared, residual }: Experts): Effects =>
  effects([input, logits, shared, residual]);

export const writes = ({ output }: Experts): Effects => effects([output]);

export function check(op: Experts, checks: Checks): void {
  const { experts, segment, sum, input, shared, residual } = op;
  checks.experts(experts);
  checks.vector(op.selection, experts.count);
  if (op.accumulated) checkAccumulated(op.accumulated, op, checks);
  checkLogits(op, checks);
  const weight = segment.weights[0]!;
  checks.equal('weights', segment.weights.length, 'what the activation takes', isOfTwo(op.activation) ? 2 : 1);
  checks.equal('biases', segment.biases.length, 'weights', segment.weights.length);
  for (const [i, { name, rows, cols, scale }] of segment.weights.entries()) {
    checks.equal(`${name} rows`, rows, 'rows of its segment', weight.rows);
    checks.equal(`${name} cols`, cols, 'cols of its segment', weight.cols);
    checks.vector(segment.biases[i], rows);
    checks.vector(scale, experts.count);
  }
  checks.equal('input', input.cols, 'cols of the experts', weight.cols * (sum ? experts.used : 1));
  checks.equal('output', op.output.cols, 'their rows', (weight.rows / experts.count) * (sum ? 1 : experts.used));
  if (op.norm) checks.norm(op.norm, input.cols);
  checks.need(sum !== undefined || !(shared || residual), 'something is added to experts that are not summed');
  checks.need(!op.gated || shared !== undefined, 'a gate without a shared output');
  for (const added of [shared, residual])
    if (added) checks.equal('what is added', added.cols, 'output', op.output.cols);
  checks.constant('scale', sum?.scale);
}

/** Without a sum the last logit, a gate's, may be there for another operation. */
function checkLogits({ logits, experts: { count }, sum, gated }: Experts, checks: Checks): void {
  const holds = logits.cols === count + (gated ? 1 : 0) || (!sum && logits.cols === count + 1);
  checks.need(holds, `logits are ${logits.cols}, experts are ${count}${gated ? ' and a gate' : ''}`);
}

/** Which are the largest must not depend on what they are to be divided by. */
function checkAccumulated(norm: Norm, { gated, selection, experts: { groups } }: Experts, checks: Checks): void {
  checks.norm(norm, norm.weight.cols);
  checks.need(!gated && !selection && !groups, 'accumulated logits of which more is asked than which are the largest');
}

export function about(op: Experts): string {
  const { experts, segment, norm, activation, sum, residual, input, logits, output } = op;
  const { count, used } = experts;
  const matrices = segment.weights
    .map(({ name, type, rows, cols }) => `${shortName(name)} ${type} [${rows / count} x ${cols}]`)
    .join(' + ');
  const added = op.shared ? `, + ${op.gated ? 'gate * ' : ''}${op.shared.name}` : '';
  const rest = `${added}${sum?.scale ? `, * ${sum.scale}` : ''}${residual ? `, + ${residual.name}` : ''}`;
  const product = `${norm ? 'norm, ' : ''}${used} of ${count} experts by ${logits.name}: ${matrices}${activationText(activation)}`;
  return `${input.name} f32[${input.cols}]: ${product}${sum ? ', weighted sum' : ''}${rest} -> f32[${output.cols}]`;
}

export const vectors = ({ norm, segment, selection }: Experts): (Weight | undefined)[] => [
  norm?.weight,
  norm?.bias,
  ...rowVectors(segment),
  selection,
];
