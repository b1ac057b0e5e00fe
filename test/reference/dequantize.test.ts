import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { dequantize } from '../oracle/dequantize.js';

interface Fixture {
  readonly types: Record<GgmlType, { readonly blocks: string; readonly values: string }>;
}

const ONE = 0x3c00;
const TWO = 0x4000;
const HALF = 0x3800;

/** A block of zeros, with 16-bit and 8-bit fields set by byte offset. */
function block(type: GgmlType, halves: Record<number, number>, bytes: Record<number, number> = {}): Buffer {
  const data = Buffer.alloc(GGML_TYPES[type].blockBytes);
  for (const [at, value] of Object.entries(halves)) data.writeUInt16LE(value, Number(at));
  for (const [at, value] of Object.entries(bytes)) data.writeUInt8(value, Number(at));
  return data;
}

/** What is left when the value that most elements have is taken away: element -> value. */
function others(values: Float64Array, common: number): Record<number, number> {
  return Object.fromEntries([...values.entries()].filter(([, value]) => value !== common));
}

describe('against the Python package gguf', () => {
  const fixture: Fixture = JSON.parse(readFileSync(new URL('../fixtures/ggml_blocks.json', import.meta.url), 'utf8'));

  test.each(Object.keys(GGML_TYPES) as GgmlType[])('%s is equal to the bit after rounding to float32', (type) => {
    const { blocks, values } = fixture.types[type];
    const expected = Buffer.from(values, 'base64');
    const actual = Buffer.from(Float32Array.from(dequantize(type, Buffer.from(blocks, 'base64'))).buffer);
    expect(actual.equals(expected)).toBe(true);
  });
});

describe('blocks computed by hand', () => {
  test('F16: largest, least normal, least subnormal, negative zero, infinity, NaN', () => {
    const data = Buffer.alloc(14);
    [0x7bff, 0x0400, 0x0001, 0x8000, 0xc100, 0xfc00, 0x7e00].forEach((bits, i) => {
      data.writeUInt16LE(bits, 2 * i);
    });
    expect([...dequantize('F16', data)]).toEqual([65504, 2 ** -14, 2 ** -24, -0, -2.5, -Infinity, NaN]);
  });

  test('BF16 is the upper half of a float32', () => {
    expect([...dequantize('BF16', Buffer.from([0x80, 0x3f, 0x20, 0xc1, 0x01, 0x00]))]).toEqual([1, -10, 2 ** -133]);
  });

  test('F32', () => {
    expect([...dequantize('F32', Buffer.from([0, 0, 0x20, 0xc1]))]).toEqual([-10]);
  });

  test('Q4_0: elements i and i + 16 share a byte; (q - 8) d', () => {
    const values = dequantize('Q4_0', block('Q4_0', { 0: HALF }, { 2: 0xf1, 17: 0x0a }));
    expect(others(values, -4)).toEqual({ 0: -3.5, 16: 3.5, 15: 1 });
  });

  test('Q4_1: q d + m', () => {
    const values = dequantize('Q4_1', block('Q4_1', { 0: TWO, 2: ONE }, { 5: 0x5f }));
    expect(others(values, 1)).toEqual({ 1: 31, 17: 11 });
  });

  test('Q5_0: bit i of the 32-bit number is the fifth bit of element i', () => {
    const values = dequantize('Q5_0', block('Q5_0', { 0: ONE }, { 2: 0x01, 5: 0x80, 6: 0x03, 21: 0xf0 }));
    expect(others(values, -16)).toEqual({ 0: 3, 31: 15 });
  });

  test('Q5_1', () => {
    const values = dequantize('Q5_1', block('Q5_1', { 0: ONE, 2: HALF }, { 6: 0x02, 9: 0x07 }));
    expect(others(values, 0.5)).toEqual({ 1: 7.5, 17: 16.5 });
  });

  test('Q8_0', () => {
    const values = dequantize('Q8_0', block('Q8_0', { 0: HALF }, { 2: 0x80, 33: 0x7f }));
    expect(others(values, 0)).toEqual({ 0: -64, 31: 63.5 });
  });

  test('Q2_K: a byte holds elements l, l + 32, l + 64, l + 96; d scale q - dmin min', () => {
    const scales = { 0: 0x01, 2: 0x02, 15: 0x3f };
    const values = dequantize('Q2_K', block('Q2_K', { 80: ONE, 82: TWO }, { ...scales, 16: 0b1001, 79: 0xc0 }));
    expect(others(values.subarray(0, 240), 0)).toEqual({ 0: 1, 32: 4 });
    expect(others(values.subarray(240), -6)).toEqual({ 15: 39 });
  });

  test('Q3_K: (scale - 32) (q - 4), the third bit from the mask', () => {
    // Scale 0 is 0b110001 = 49: its low half in byte 96, its high bits lowest in byte 104. Scale 15 is 63.
    const fields = { 96: 0x01, 104: 0x03, 103: 0xf0, 107: 0xc0, 0: 0x01, 31: 0x80, 32: 0x02, 95: 0xc0 };
    const values = dequantize('Q3_K', block('Q3_K', { 108: ONE }, fields));
    expect(others(values.subarray(0, 16), 17 * -4)).toEqual({ 0: 17 * 2 });
    expect(others(values.subarray(16, 240), -32 * -4)).toEqual({});
    expect(others(values.subarray(240), 31 * -4)).toEqual({ 15: 31 * 3 });
  });

  test('Q4_K: scales 0..3 in six bits of a byte, 4..7 split over two', () => {
    // Scale 0 = 0b000101, scale 4 = 0b110010 (high bits on top of byte 4), minimum 7 = 0b100001 (on top of byte 11).
    const fields = { 4: 0b11000101, 12: 0x02, 11: 0x80, 15: 0x10, 16: 0x03, 80: 0x0f, 143: 0xf0 };
    const values = dequantize('Q4_K', block('Q4_K', { 0: ONE, 2: HALF }, fields));
    expect(others(values.subarray(0, 224), 0)).toEqual({ 0: 15, 128: 50 * 15 });
    expect(others(values.subarray(224), -16.5)).toEqual({});
  });

  test('Q5_K: a bit plane for every sub-block of 32', () => {
    const fields = { 4: 1, 5: 2, 16: 0x02, 17: 0x01, 48: 0xf1 };
    const values = dequantize('Q5_K', block('Q5_K', { 0: ONE }, fields));
    expect(others(values, 0)).toEqual({ 0: 1, 1: 16, 32: 2 * 31 });
  });

  test('Q6_K: four bits below, two above, minus 32', () => {
    const fields = { 192: 1, 196: 0xff, 0: 0x5a, 128: 0b110001 };
    const values = dequantize('Q6_K', block('Q6_K', { 208: ONE }, fields));
    expect(others(values.subarray(0, 16), -32)).toEqual({ 0: 26 - 32 });
    // Element 64 has the upper half of the byte and bits 4..5 of the plane; its scale is -1.
    expect(others(values.subarray(64, 80), 32)).toEqual({ 0: 32 - (5 + 48) });
  });
});

test('bytes that are no whole blocks are refused', () => {
  expect(() => dequantize('Q4_K', Buffer.alloc(145))).toThrow(
    '145 bytes are no whole number of Q4_K blocks of 144 bytes',
  );
});
