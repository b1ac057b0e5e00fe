/** Quantization to Q8_0 and Q4_0, against ggml's own blocks. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dequantize } from '../oracle/dequantize.js';
import { quantize, toHalf } from '../oracle/quantize.js';

const fixture = JSON.parse(
  readFileSync(fileURLToPath(new URL('../fixtures/quantized_blocks.json', import.meta.url)), 'utf8'),
);
const VALUES = Float64Array.from(new Float32Array(Uint32Array.from(fixture.values).buffer));

test.each(['Q8_0', 'Q4_0'] as const)('%s: the bits that the gguf package makes', (type) => {
  expect(Buffer.from(quantize(type, VALUES)).toString('hex')).toBe(fixture[type]);
});

test.each(['Q8_0', 'Q4_0'] as const)('%s: a block with NaN or infinity in it has no other numbers', (type) => {
  for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    for (const at of [0, 5, 31]) {
      const values = Float64Array.from({ length: 32 }, (_, i) => (i === at ? odd : i - 9));
      for (const value of dequantize(type, Buffer.from(quantize(type, values))))
        expect(Number.isFinite(value)).toBe(false);
    }
});

/** The value of a half, from IEEE 754. */
function ofHalf(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

test('toHalf keeps every half, and takes the nearest of two neighbours, of a tie the even one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x7bfe }), fc.double({ min: 0, max: 1, noNaN: true }), (bits, share) => {
      const [low, high] = [ofHalf(bits), ofHalf(bits + 1)];
      expect(toHalf(low)).toBe(bits);
      expect(toHalf(-low)).toBe(bits | 0x8000);
      const nearest = share < 0.5 || (share === 0.5 && bits % 2 === 0) ? bits : bits + 1;
      expect(toHalf(low + share * (high - low))).toBe(nearest);
    }),
  );
  expect(toHalf(65520)).toBe(0x7c00);
  expect(toHalf(1e30)).toBe(0x7c00);
});
