/** How heads are normed and turned before attention: of configurations, the variants of attend/variants.cuh. */
import { ropeFrequencies } from '../../model/rope.js';
import type { RopeSpec } from '../../model/spec.js';
import { constants, indent, unlike, variant } from '../fields.js';
import type { Field, Table } from '../kernel.js';
import type { Attend } from './operation.js';

export interface HeadConfig {
  /** null: nothing turns. */
  readonly rope: Omit<RopeSpec, 'factors'> | null;
  readonly ropeFactors: boolean;
  readonly queryNorm: boolean;
  readonly keyNorm: boolean;
  /** Bit 0: the query norm is of all heads together; bit 1: the key norm is. */
  readonly jointNorms: number;
  /** Norms come after the rope. */
  readonly normTurned?: true;
  readonly epsilon: number;
}

export function headConfig(op: Pick<Attend, 'rope' | 'queryNorm' | 'keyNorm' | 'normTurned' | 'headSize'>): HeadConfig {
  const { factors, ...rope } = op.rope ?? {};
  const wholeNorm = (norm: Attend['queryNorm']) => (norm && norm.weight.cols !== op.headSize ? 1 : 0);
  return {
    rope: op.rope ? (rope as HeadConfig['rope']) : null,
    ropeFactors: factors !== undefined,
    queryNorm: op.queryNorm !== undefined,
    keyNorm: op.keyNorm !== undefined,
    jointNorms: wholeNorm(op.queryNorm) + 2 * wholeNorm(op.keyNorm),
    ...(op.normTurned && { normTurned: true }),
    epsilon: op.queryNorm?.epsilon ?? op.keyNorm?.epsilon ?? 0,
  };
}

/** But for `epsilon`, which stands among the floats. */
export const headFields = (c: HeadConfig, name: string): Field[] => [
  ...variant('query_norm', c.queryNorm && headNorm(c.jointNorms & 1)),
  ...variant('key_norm', c.keyNorm && headNorm(c.jointNorms & 2)),
  ['bool', unlike(false, { norms_follow_rope: c.normTurned ?? false })],
  ...(c.rope ? ropeFields(c, c.rope, ropeTableName(name)) : []),
];

export const ropeTables = ({ rope }: HeadConfig, name: string): Table[] =>
  rope ? [{ name: ropeTableName(name), values: ropeFrequencies(rope) }] : [];

const headNorm = (joint: number): string => (joint ? 'JointNorm' : 'HeadNorm');

function ropeFields(c: HeadConfig, rope: NonNullable<HeadConfig['rope']>, table: string): Field[] {
  const pairs = rope.pairing === 'adjacent' ? 'adjacent' : 'halves';
  return [
    `struct rope : Rope<${rope.dimensions}, RopePairs::${pairs}> {`,
    ...constants(['bool', unlike(false, { factors: c.ropeFactors })]).map(indent),
    ...constants(['float', unlike(1, { magnitude: rope.scaling?.magnitude ?? 1 })]).map(indent),
    indent(`static DEVICE float inverse_frequency(int pair) { return ${table}[pair]; }`),
    '};',
  ];
}

const ropeTableName = (kernel: string): string => `${kernel}_inverse_frequency`;
