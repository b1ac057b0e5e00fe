/** How a matrix is cut into slots, and how many bytes lie between them. */
import type { GgmlType } from '../../runtime/files/ggml.js';
import { slotStride, UNIT_COLS, unitsOf } from './formats.js';

export interface Tiling {
  readonly groupRows: number;
  /** A multiple of 32; the last chunk of a row may be shorter. */
  readonly chunkCols: number;
}

export const chunkShape = ({ cols, chunkCols }: { cols: number; chunkCols: number }) => {
  const units = unitsOf(cols);
  const chunkUnits = chunkCols / UNIT_COLS;
  const chunks = Math.ceil(units / chunkUnits);
  return { units, chunkUnits, chunks, lastUnits: units - (chunks - 1) * chunkUnits };
};

/** Bytes from one slot of a matrix to its next in the same group, and from a row group to the next. */
export interface Strides {
  readonly chunkStride: number;
  readonly groupStride: number;
  /** Where each matrix's slot starts in a chunk. */
  readonly partOffsets: readonly number[];
}

export function strides(formats: readonly GgmlType[], cols: number, { groupRows, chunkCols }: Tiling): Strides {
  const { chunkUnits, chunks, lastUnits } = chunkShape({ cols, chunkCols });
  const partOffsets: number[] = [];
  let chunkStride = 0;
  for (const format of formats) {
    partOffsets.push(chunkStride);
    chunkStride += slotStride(format, groupRows, chunkUnits);
  }
  const last = slotStride(formats.at(-1)!, groupRows, lastUnits);
  return { chunkStride, partOffsets, groupStride: (chunks - 1) * chunkStride + partOffsets.at(-1)! + last };
}
