/** What kernels that multiply with matrices have in common. */
import { sum } from '../arithmetic.js';
import type { Activate, GateMul, Segment } from '../ir/ops.js';
import { ACTIVATIONS, type Activation } from '../model/activations.js';
import type { Weight } from '../model/spec.js';

type Activating = GateMul['kind'] | Activate['kind'];

export const isOfTwo = (kind: Activating | undefined): kind is GateMul['kind'] => kind?.endsWith('_mul') ?? false;

/** The name in activation.cuh. */
export const activationOf = (kind: Activating | undefined): Activation | 'none' =>
  kind === undefined ? 'none' : (kind.replace(/_mul$/, '') as Activation);

/** In a line about a node. */
export function activationText(kind: Activating | undefined): string {
  if (kind === undefined) return '';
  return `, ${isOfTwo(kind) ? `${activationOf(kind)}(gate) * up` : ACTIVATIONS[kind].alone}`;
}

/** Bit i: there is an i-th. */
export const maskOf = (vectors: readonly (Weight | undefined)[]): number =>
  vectors.reduce((mask, vector, i) => mask | (vector ? 1 << i : 0), 0);

/** Floating-point operations of the products of a row with the matrices: a multiplication and an addition an element. */
export const productFlops = (segments: readonly Segment[]): number =>
  sum(segments.flatMap(({ weights }) => weights.map(matrixFlops)));
export const matrixFlops = ({ rows, cols }: Weight): number => 2 * rows * cols;

/** Biases and scales of a segment's rows. */
export const rowVectors = ({ weights, biases }: Segment): (Weight | undefined)[] => [
  ...biases,
  ...weights.map(({ scale }) => scale),
];

/** A matrix in a line about a node. */
export const matrixText = ({ name, type, rows, cols }: Weight): string =>
  `${shortName(name)} ${type} [${rows} x ${cols}]`;

export const shortName = (weight: string): string => weight.replace(/^blk\.\d+\./, '').replace(/\.weight$/, '');
