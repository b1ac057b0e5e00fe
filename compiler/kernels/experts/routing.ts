/** experts/routing.cuh: how experts are chosen and weighted, which the kernels of one row and of many share. */
import type { ExpertsSpec, Weight } from '../../model/spec.js';
import { unlike, variant } from '../fields.js';
import type { Field } from '../kernel.js';

export interface RoutingConfig {
  readonly experts: number;
  readonly used: number;
  readonly weightsOver: 'all' | 'chosen';
  readonly sigmoid: boolean;
  /** Probabilities choose experts, not logits; something is added to them. */
  readonly scored: boolean;
  readonly biased: boolean;
  /** Experts of so many groups of equal size can be chosen; 1 of 1: of all. */
  readonly expertGroups: number;
  readonly expertGroupsUsed: number;
  readonly weightsScale: number;
  /** The logit after the experts' is of a shared expert's gate. */
  readonly gated: boolean;
}

interface Routed {
  readonly experts: ExpertsSpec;
  readonly selection?: Weight;
}

export const routingConfig = ({ experts, selection }: Routed): Omit<RoutingConfig, 'gated'> => ({
  experts: experts.count,
  used: experts.used,
  weightsOver: experts.weightsOver,
  sigmoid: experts.gating === 'sigmoid',
  scored: selection !== undefined || experts.groups !== undefined,
  biased: selection !== undefined,
  expertGroups: experts.groups?.count ?? 1,
  expertGroupsUsed: experts.groups?.used ?? 1,
  weightsScale: experts.scale ?? 1,
});

export const routingFields = (c: RoutingConfig): Field[] => [
  ...variant('selection', c.scored && `ByScore<${c.biased}, ${c.expertGroups}, ${c.expertGroupsUsed}>`),
  ...variant('weights', weightsType(c)),
  ['float', unlike(1, { weights_scale: c.weightsScale })],
];

function weightsType({ sigmoid, weightsOver }: RoutingConfig): string | false {
  const overAll = weightsOver === 'all';
  return (sigmoid || overAll) && `${sigmoid ? 'Sigmoid' : 'Softmax'}Weights<${overAll}>`;
}

/** RoutingShape::bytes. */
export function routingBytes({ experts, used, gated, scored, expertGroups }: RoutingConfig): number {
  const four = (count: number) => Math.ceil(count / 4) * 4;
  const candidates = experts % 32 === 0 && experts > 32 && used <= 16 ? (experts / 32) * used : 0;
  const logits = four(experts + (gated ? 1 : 0)) * (scored ? 2 : 1);
  return 4 * (logits + 2 * four(candidates) + 3 * used + (expertGroups > 1 ? expertGroups : 0));
}
