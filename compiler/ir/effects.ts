/** What an operation reads and writes. Dependencies come from here and nowhere else; weights are constants. */
import type { Value } from './ops.js';

/** Memory that outlives the token: the state buffer (token, position, seq_len), or the KV cache of one layer. */
export type Resource = 'state' | `kv.${number}`;

export interface Effects {
  /** One entry an operand: a value that is read twice stands here twice. */
  readonly values: readonly Value[];
  readonly resources: readonly Resource[];
}

export function kvCache(layer: number): Resource {
  return `kv.${layer}`;
}

/** Effects on these values, where there are such, and on these resources. */
export function effects(values: readonly (Value | undefined)[], ...resources: readonly Resource[]): Effects {
  return { values: values.filter((value) => value !== undefined), resources };
}
