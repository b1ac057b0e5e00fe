/** projection/router_share.cuh: logits of experts that the blocks of a projection add up, which saves the router's own node. */
import type { Norm, Value } from '../ir/ops.js';
import type { Weight } from '../model/spec.js';

/**
 * A small matrix times norm(output), whose products each block adds up for the rows that it has. Over all of them they are
 * `logits`, as experts that are `accumulated` read them.
 */
export interface RouterShare {
  readonly norm: Norm;
  readonly weight: Weight;
  readonly logits: Value;
}

/** Of a logit that blocks add up, from one to the next. */
export const ACCUMULATED_BYTES = 256;

/** The buffer of all accumulated logits: the first node clears it, so it lives from there on. */
export const ACCUMULATED = 'accumulated_logits';
