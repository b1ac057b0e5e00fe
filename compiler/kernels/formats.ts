/**
 * Bytes of a slot of each device format: the twin of runtime/kernels/formats.cuh. The emitted kernels.cu asserts that
 * both agree on every slot a model uses.
 */

import type { GgmlType } from '../../runtime/files/ggml.js';
import { roundUp } from '../arithmetic.js';

/** Columns that one lane takes at a time. */
export const UNIT_COLS = 32;

interface Format {
  /** Bytes a unit of 32 columns. */
  readonly unitBytes: number;
  /** Bytes for each 8 units or part of them: scales of a K-quant's block of 256 columns. */
  readonly superBytes: number;
}

const FORMATS: Record<GgmlType, Format> = {
  F32: { unitBytes: 128, superBytes: 0 },
  F16: { unitBytes: 64, superBytes: 0 },
  BF16: { unitBytes: 64, superBytes: 0 },
  Q8_0: { unitBytes: 34, superBytes: 0 },
  Q4_0: { unitBytes: 18, superBytes: 0 },
  Q4_1: { unitBytes: 20, superBytes: 0 },
  Q5_0: { unitBytes: 22, superBytes: 0 },
  Q5_1: { unitBytes: 24, superBytes: 0 },
  Q2_K: { unitBytes: 10, superBytes: 4 },
  Q3_K: { unitBytes: 14, superBytes: 2 },
  Q4_K: { unitBytes: 18, superBytes: 4 },
  Q5_K: { unitBytes: 22, superBytes: 4 },
  Q6_K: { unitBytes: 26, superBytes: 2 },
  IQ4_NL: { unitBytes: 18, superBytes: 0 },
  MXFP4: { unitBytes: 17, superBytes: 0 },
  IQ4_XS: { unitBytes: 17, superBytes: 2 },
  // Grid points of the file as 4-bit codes; a multiplier for each 32 columns, or for each 16.
  IQ2_XXS: { unitBytes: 17, superBytes: 2 },
  IQ2_XS: { unitBytes: 18, superBytes: 2 },
  IQ2_S: { unitBytes: 18, superBytes: 2 },
  IQ3_XXS: { unitBytes: 17, superBytes: 2 },
  IQ3_S: { unitBytes: 17, superBytes: 2 },
  IQ1_S: { unitBytes: 17, superBytes: 2 },
  IQ1_M: { unitBytes: 18, superBytes: 2 },
};

/** Products with float formats take the activations as f32, with quants as 16-bit integers. */
export const isQuant = (type: GgmlType): boolean => !['F32', 'F16', 'BF16'].includes(type);

/** Does a number scale 256 columns? */
export const scalesTogether = (type: GgmlType): boolean => FORMATS[type].superBytes > 0;

/** Has the format an offset or a minimum, so that products need the sums of the activations? */
export const needsSums = (type: GgmlType): boolean => /^(Q(?!8)|IQ[123]|MXFP4)/.test(type);

export const unitsOf = (cols: number): number => Math.ceil(cols / UNIT_COLS);

function content(type: GgmlType, rows: number, units: number): number {
  const { unitBytes, superBytes } = FORMATS[type];
  return rows * (units * unitBytes + Math.ceil(units / 8) * superBytes);
}

/** Bytes of a slot that are read. */
export function slotContent(type: GgmlType, rows: number, units: number): number {
  return roundUp(content(type, rows, units), 16);
}

/** Bytes from a slot to the next: whole lines of the L2, which stream faster, where that takes little. */
export function slotStride(type: GgmlType, rows: number, units: number): number {
  const bytes = content(type, rows, units);
  const lines = roundUp(bytes, 128);
  return lines - bytes <= bytes / 32 ? lines : roundUp(bytes, 16);
}

/** SharedUnits::bytes: units of activations in shared memory, for products with these formats. */
export function sharedUnitsBytes(formats: readonly GgmlType[], units: number): number {
  const floats = formats.every(isQuant) ? 0 : 8 * (units | 1) * 16;
  const ints = formats.some(isQuant) ? 68 * units : 0;
  const sums = formats.some(needsSums) ? 8 * units : 0;
  return roundUp(floats + ints + sums, 16);
}
