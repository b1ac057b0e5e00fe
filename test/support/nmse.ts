/** How far apart two lists of logits are, and how to read them from a file. */
import { readFileSync } from 'node:fs';

/**
 * Normalised mean squared error, sum((actual - expected)^2) / sum(expected^2). No tolerance is met by NaN, by different
 * lengths or by comparing with nothing but zeros: they throw.
 */
export function nmse(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} values cannot be compared with ${expected.length}`);
  }
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    power += expected[i]! ** 2;
  }
  const result = error / power;
  if (!Number.isFinite(result)) throw new Error(`no error can be computed: ${error} / ${power}`);
  return result;
}

/** A file of little-endian float32. */
export function readF32(path: string): Float32Array {
  const bytes = readFileSync(path);
  if (bytes.length % 4 !== 0) throw new Error(`${path}: ${bytes.length} bytes are no whole number of float32`);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

/** A file of little-endian float64. */
export function readF64(path: string): Float64Array {
  const bytes = readFileSync(path);
  if (bytes.length % 8 !== 0) throw new Error(`${path}: ${bytes.length} bytes are no whole number of float64`);
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i));
}
