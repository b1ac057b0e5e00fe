/** The weights of a model file as float64 rows. */
import { readFileSync } from 'node:fs';
import type { Weight } from '../../compiler/model/spec.js';
import { dequantize } from '../oracle/dequantize.js';

/** Row `index` of a weight of the file, dequantised; each weight is dequantised once. */
export function tensorRows(path: string): (weight: Weight, index: number) => Float64Array {
  const file = readFileSync(path);
  const values = new Map<string, Float64Array>();
  return ({ name, type, cols, offset, bytes }, index) => {
    const known = values.get(name) ?? dequantize(type, file.subarray(offset, offset + bytes));
    values.set(name, known);
    return known.subarray(index * cols, (index + 1) * cols);
  };
}
