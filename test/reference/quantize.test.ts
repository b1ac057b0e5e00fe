import { describe, expect, test } from 'vitest';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { dequantize } from '../oracle/dequantize.js';
import { randomTensor, toHalf } from '../support/quantize.js';
import { Random } from '../support/random.js';

const ELEMENTS = 1024 * 256;

describe.each(Object.keys(GGML_TYPES) as GgmlType[])('random %s', (type) => {
  const data = randomTensor(new Random(3), type, ELEMENTS, 0.05);
  const values = dequantize(type, data);

  test('has the mean and the standard deviation asked', () => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean)).toBeLessThan(0.002);
    expect(std).toBeGreaterThan(0.05 * 0.97);
    expect(std).toBeLessThan(0.05 * 1.03);
  });

  test('is the same for the same seed and another for another', () => {
    expect(randomTensor(new Random(3), type, ELEMENTS, 0.05).equals(data)).toBe(true);
    expect(randomTensor(new Random(4), type, ELEMENTS, 0.05).equals(data)).toBe(false);
  });

  test('has every byte value somewhere in its blocks', () => {
    expect(new Set(data).size).toBe(256);
  });

  test('is refused for part of a block', () => {
    const { blockSize } = GGML_TYPES[type];
    const half = () => randomTensor(new Random(1), type, blockSize * 1.5, 1);
    expect(half).toThrow(`no whole number of ${type} blocks`);
  });
});

test('every finite half survives a round trip', () => {
  const data = Buffer.alloc(2 * 0x7c00);
  for (let bits = 0; bits < 0x7c00; bits++) data.writeUInt16LE(bits, 2 * bits);
  expect([...dequantize('F16', data)].map(toHalf)).toEqual(Array.from({ length: 0x7c00 }, (_, bits) => bits));
  expect(toHalf(-1.5)).toBe(0xbe00);
  expect(toHalf(1 + 0.6 / 1024)).toBe(0x3c01);
  expect(() => toHalf(65520)).toThrow('no finite half');
  expect(() => toHalf(Number.NaN)).toThrow('no finite half');
});
