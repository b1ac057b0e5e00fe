/** What an operation reads and writes. Dependencies come from here and nowhere else; weights are constants. */
import type { Cache, Value } from './ops.js';

/**
 * Memory that outlives the step: the slots' state (token, position, seq_len), the tokens that they were fed, or a cache; and
 * the rows of the step, which the host writes before it.
 */
export type Resource = 'state' | 'fed' | 'step' | `cache.${number}`;

export interface Effects {
  /** One entry an operand: a value that is read twice stands here twice. */
  readonly values: readonly Value[];
  readonly resources: readonly Resource[];
}

export function cached({ id }: Cache): Resource {
  return `cache.${id}`;
}

/** Effects on these values, where there are such, and on these resources. */
export function effects(values: readonly (Value | undefined)[], ...resources: readonly Resource[]): Effects {
  return { values: values.filter((value) => value !== undefined), resources };
}
