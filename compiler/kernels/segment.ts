/** What kernels that multiply with matrices have in common. */
import type { Segment } from '../ir/ops.js';
import type { Weight } from '../model/spec.js';

/** activation.cuh; of one matrix and of two. */
export const ACTIVATIONS = {
  ...({ silu: 'silu', gelu: 'gelu', gelu_erf: 'gelu_erf', relu_sqr: 'relu_sqr' } as const),
  ...({ silu_mul: 'silu', gelu_mul: 'gelu', swiglu_oai_mul: 'swiglu_oai' } as const),
};

/** Bit i: there is an i-th. */
export const maskOf = (vectors: readonly (Weight | undefined)[]): number =>
  vectors.reduce((mask, vector, i) => mask | (vector ? 1 << i : 0), 0);

/** Biases and scales of a segment's rows. */
export const rowVectors = ({ weights, biases }: Segment): (Weight | undefined)[] => [
  ...biases,
  ...weights.map(({ scale }) => scale),
];

/** A matrix in a line about a node. */
export const matrixText = ({ name, type, rows, cols }: Weight): string =>
  `${shortName(name)} ${type} [${rows} x ${cols}]`;

export const shortName = (weight: string): string => weight.replace(/^blk\.\d+\./, '').replace(/\.weight$/, '');
