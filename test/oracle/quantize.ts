/**
 * Q8_0 and Q4_0 as ggml's reference makes them (quantize_row_q8_0_ref, quantize_row_q4_0_ref): the twin of
 * runtime/kernels/quantize.cuh, for the float64 reference.
 */
import type { GgmlType } from '../../runtime/files/ggml.js';

const BLOCK = 32;
const HALF_BITS = 10;
const LEAST_EXPONENT = -14;

/** The nearest IEEE 754 half, of two the even one. Beyond its range: infinity. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  const exponent = Math.max(LEAST_EXPONENT, Math.floor(Math.log2(magnitude)));
  const steps = magnitude / 2 ** (exponent - HALF_BITS);
  const whole = Math.floor(steps);
  const up = steps - whole > 0.5 || (steps - whole === 0.5 && whole % 2 === 1) ? 1 : 0;
  const bits = (exponent - LEAST_EXPONENT) * 2 ** HALF_BITS + whole + up;
  return sign | Math.min(magnitude === 0 ? 0 : bits, 0x7c00);
}

/** Half away from zero, as C's roundf. */
const round = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);
const single = Math.fround;

/** `values` are f32, a multiple of 32 of them. */
export function quantize(type: GgmlType, values: Float64Array): Uint8Array {
  if (type !== 'Q8_0' && type !== 'Q4_0') throw new Error(`there is no quantization to ${type}`);
  const blocks: Buffer[] = [];
  for (let at = 0; at < values.length; at += BLOCK) {
    const block = values.subarray(at, at + BLOCK);
    blocks.push(type === 'Q8_0' ? q8(block) : q4(block));
  }
  return Buffer.concat(blocks);
}

function q8(values: Float64Array): Buffer {
  const d = single(values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
  const inverse = d === 0 ? 0 : single(1 / d);
  const block = Buffer.alloc(2 + BLOCK);
  block.writeUInt16LE(toHalf(d));
  for (const [i, value] of values.entries()) block.writeInt8(round(single(value * inverse)), 2 + i);
  return block;
}

function q4(values: Float64Array): Buffer {
  const exceeds = (value: number, most: number) => Math.abs(value) > Math.abs(most) || Number.isNaN(value);
  const largest = values.reduce((most, value) => (exceeds(value, most) ? value : most), 0);
  const d = single(largest / -8);
  const inverse = d === 0 ? 0 : single(1 / d);
  const quant = (i: number) => Math.min(15, Math.trunc(values[i]! * inverse + 8.5));
  const block = Buffer.alloc(2 + BLOCK / 2);
  block.writeUInt16LE(toHalf(d));
  for (let i = 0; i < BLOCK / 2; i++) block.writeUInt8(quant(i) | (quant(i + BLOCK / 2) << 4), 2 + i);
  return block;
}
