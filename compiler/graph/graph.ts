/** A graph of operations, primitive and fused, and what holds for each of them whatever its kind is. */

import type { Checks } from '../ir/checks.js';
import type { Effects } from '../ir/effects.js';
import type { Operation } from '../ir/operation.js';
import type { Cache, PrimitiveOp, Value } from '../ir/ops.js';
import { PRIMITIVES } from '../ir/primitives.js';
import { type FusedOp, KERNELS, ROWS_KERNELS, TOKEN_KERNELS } from '../kernels/index.js';

export type Op = PrimitiveOp | FusedOp;

export interface Graph {
  readonly ops: readonly Op[];
  readonly logits: Value;
  /** Of a program of many rows. */
  readonly manyRows?: true;
}

/** Each once, in the order in which they are first named. */
export const cachesOf = ({ ops }: Pick<Graph, 'ops'>): Cache[] => [
  ...new Set(ops.flatMap((op) => ('cache' in op ? [op.cache] : []))),
];

const FUSED = new Map(Object.values(KERNELS).map((kernel) => [kernel.operation, kernel]));

export const isPrimitive = ({ kind }: Op): boolean => Object.hasOwn(PRIMITIVES, kind);
/** Is it what a kernel of the graph's kind of program computes? */
export const isFusedIn = ({ manyRows }: Graph, { kind }: Op): boolean =>
  Object.values(manyRows ? ROWS_KERNELS : TOKEN_KERNELS).some(({ operation }) => operation === kind);

export const reads = (op: Op): Effects => operationOf(op).reads(op);
export const writes = (op: Op): Effects => operationOf(op).writes(op);
export const check = (op: Op, checks: Checks): void => operationOf(op).check(op, checks);

function operationOf({ kind }: Op): Operation<Op> {
  return (FUSED.get(kind as FusedOp['kind']) ?? PRIMITIVES[kind as PrimitiveOp['kind']]) as Operation<Op>;
}
