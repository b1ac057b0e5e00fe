/** The operation of attend/kernel.cuh: its operands, rules and description. */

import type { Checks } from '../../ir/checks.js';
import { cached, type Effects, effects } from '../../ir/effects.js';
import type { Cache, Norm, Scoring, Value } from '../../ir/ops.js';
import type { RopeSpec, Weight } from '../../model/spec.js';

/**
 * Fused: per-head norms, rope, KV append, attention and its gates. Reads the output of the QKV projection: q, then k, then
 * v, then the gates.
 */
export interface Attend extends Scoring {
  readonly kind: 'attend';
  readonly cache: Cache;
  readonly qkv: Value;
  /** Of each head, or of all heads together where the weight is as wide as they are. */
  readonly queryNorm?: Norm;
  readonly keyNorm?: Norm;
  /** Norms come after the rope. */
  readonly normTurned?: true;
  /** Absent: nothing turns. */
  readonly rope?: RopeSpec;
  readonly headCount: number;
  readonly headCountKv: number;
  readonly headSize: number;
  readonly sinks?: Weight;
  /** How many there are: one for each head, or for each element of the output. */
  readonly gates?: number;
  readonly output: Value;
}

export const reads = ({ qkv, cache }: Attend): Effects => effects([qkv], 'state', cached(cache));

export const writes = ({ output, cache }: Attend): Effects => effects([output], cached(cache));

export function check(op: Attend, checks: Checks): void {
  checkQkv(op, checks);
  checks.attention(op);
}

/** Queries, keys and values as a projection leaves them, and how they are normed and turned. */
export function checkQkv(op: Omit<Attend, 'kind' | 'output'>, checks: Checks): void {
  const rows = (op.headCount + 2 * op.headCountKv) * op.headSize + (op.gates ?? 0);
  checks.equal('qkv', op.qkv.cols, '(heads + 2 x kv heads) x head size + gates', rows);
  if (op.gates) checks.gates(op.gates, op.headCount * op.headSize, op.headSize);
  if (op.queryNorm) checkHeadNorm(op.queryNorm, op.headSize, op.headCount, checks);
  if (op.keyNorm) checkHeadNorm(op.keyNorm, op.headSize, op.headCountKv, checks);
  if (op.rope) checks.rope(op.rope, op.headSize);
}

function checkHeadNorm(norm: Norm, headSize: number, heads: number, checks: Checks): void {
  checks.norm(norm, norm.weight.cols === headSize ? headSize : headSize * heads);
}

export const about = (op: Attend): string => `${appendText(op)}, ${attendText(op)} -> f32[${op.output.cols}]`;

export function appendText(op: Pick<Attend, 'queryNorm' | 'rope' | 'normTurned'>): string {
  const steps = [op.queryNorm && 'norm', op.rope && 'rope'].filter(Boolean);
  const turned = (op.normTurned ? steps.reverse() : steps).join(' and ');
  return `${turned ? `${turned} q and k, ` : ''}append to the KV cache`;
}

export function attendText(op: Omit<Attend, 'kind' | 'qkv' | 'scale' | 'output'>): string {
  const seen = `${op.softCap ? `, capped at ${op.softCap}` : ''}${op.window ? `, newest ${op.window}` : ''}`;
  const gates = op.gates ? ', * sigmoid(gates)' : '';
  return `attention of ${op.headCount} heads over ${op.headCountKv} KV heads of ${op.headSize}${seen}${gates}`;
}

/** Of scores and of their products with the values, a multiplication and an addition an element each. */
export const attentionFlops = ({ headCount, headSize }: Pick<Attend, 'headCount' | 'headSize'>) => ({
  position: 4 * headCount * headSize,
});

export const vectors = ({ queryNorm, keyNorm, rope, sinks }: Attend): (Weight | undefined)[] => [
  queryNorm?.weight,
  keyNorm?.weight,
  rope?.factors,
  sinks,
];
