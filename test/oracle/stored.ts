/** The values of a weight, however the file holds it: for the float64 reference, what repack.cuh does on the device. */

import type { Weight } from '../../compiler/model/spec.js';
import type { Piece } from '../../runtime/files/tensor_table.js';
import { dequantize } from './dequantize.js';
import { quantize } from './quantize.js';

/** Row after row. */
export function storedValues(weight: Weight, read: (piece: Piece) => Buffer): Float64Array {
  const { type, storedAs, plusOne, exponents, pieces = [weight] } = weight;
  const bytesOf = (piece: Piece) => (exponents ? mxfp4Blocks(read(piece), read(exponents)) : read(piece));
  const parts = pieces.map((piece) => inRows(weight, dequantize(storedAs ?? type, bytesOf(piece)), pieces.length));
  const values = parts.length > 1 ? Float64Array.from(parts.flatMap((part) => [...part])) : parts[0]!;
  const quantized = storedAs ? dequantize(type, quantize(type, values)) : values;
  return plusOne ? quantized.map((value) => value + 1) : quantized;
}

/** Those of one piece of so many. */
function inRows({ rows: all, cols: width, alternate, transposed }: Weight, values: Float64Array, pieces: number) {
  if (!alternate && !transposed) return values;
  // The elements of a vector alternate as rows of one column do.
  const [rows, cols] = all === 1 ? [width, 1] : [all / pieces, width];
  const [step, first] = [alternate ? 2 : 1, alternate === 'odd' ? 1 : 0];
  return Float64Array.from({ length: rows * cols }, (_, i) => {
    const [row, col] = [step * Math.floor(i / cols) + first, i % cols];
    return values[transposed ? col * step * rows + row : row * cols + col]!;
  });
}

/** ggml's blocks of MXFP4: the exponent, then elements 0 to 15 as low halves and 16 to 31 as high ones. */
function mxfp4Blocks(codes: Uint8Array, exponents: Uint8Array): Buffer {
  const nibble = (block: number, e: number) => (codes[16 * block + (e >> 1)]! >> (4 * (e & 1))) & 15;
  const blocks = Buffer.alloc(17 * exponents.length);
  for (const [block, exponent] of exponents.entries()) {
    blocks[17 * block] = exponent;
    for (let i = 0; i < 16; i++) blocks[17 * block + 1 + i] = nibble(block, i) | (nibble(block, i + 16) << 4);
  }
  return blocks;
}
