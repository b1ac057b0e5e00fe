import { expect, test } from 'vitest';
import { nmse } from '../support/nmse.js';

test('is the squared error over the squared expectation', () => {
  expect(nmse([1, 2, 3], [1, 2, 3])).toBe(0);
  expect(nmse([1, 2, 5], [1, 2, 4])).toBeCloseTo(1 / 21, 15);
});

test.each([
  [
    [Number.NaN, 1],
    [1, 1],
  ],
  [
    [1, 1],
    [Number.NaN, 1],
  ],
  [
    [Number.POSITIVE_INFINITY, 1],
    [1, 1],
  ],
  [
    [0, 0],
    [0, 0],
  ],
  [
    [1, 1],
    [1, 1, 1],
  ],
  [[], []],
])('throws where nothing is compared: %o, %o', (actual, expected) => {
  expect(() => nmse(actual, expected)).toThrow();
});
