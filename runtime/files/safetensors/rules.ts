/** What becomes of keys of config.json that nothing is computed from: taken whatever they say, or only where that changes nothing. */
import type { Json } from '../json.js';

/** What is computed with, once config.json is read. */
export interface Facts {
  readonly layers: number;
  readonly heads: number;
  readonly headsKv: number;
  readonly headSize: number;
  readonly hidden: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly epsilon: number | undefined;
  readonly ropeBase: number;
  readonly ropeDimensions: number;
  readonly window: number | undefined;
}

/** Taken where it changes nothing. */
interface Neutral {
  /** What other values ask for. Absent: it is not known. */
  readonly feature?: string;
  readonly holds: (value: Json, facts: Facts) => boolean;
  /** "must be ...", for the error. */
  readonly needed: (facts: Facts) => string;
}

export type Rule = 'unused' | Neutral;

export type Rules = Readonly<Record<string, Rule>>;

/** Refused by the name of the feature, but with one of these values. */
export const only = (feature: string, ...values: readonly Json[]): Rule => ({
  feature,
  holds: (value) => isOneOf(value, values),
  needed: () => oneOf(values),
});

/** Another name for what is computed with. */
export const same = (feature: string, of: (facts: Facts) => number | undefined): Rule => ({
  feature,
  holds: (value, facts) => typeof value === 'number' && Math.fround(value) === Math.fround(of(facts) ?? Number.NaN),
  needed: (facts) => oneOf([of(facts)].filter((value) => value !== undefined)),
});

/** Whether there are biases or norms is asked of the tensors. */
export const TENSORS_TELL: Rule = only('what is neither true nor false', true, false);

export const oneOf = (values: readonly Json[]): string =>
  `must be ${[...values.map((value) => JSON.stringify(value)), 'absent'].join(' or ')}`;

export const isOneOf = (value: Json, values: readonly Json[]): boolean =>
  values.some((one) => one === value || JSON.stringify(one) === JSON.stringify(value));

export const ruleOf = (rules: Rules, key: string): Rule | undefined =>
  Object.hasOwn(rules, key) ? rules[key] : undefined;
