import { expect, it } from 'vitest';
import { ensureAsyncDispose } from '../../runtime/addon/async_dispose.js';

it('gives an old Node the symbol, and leaves that of a newer one alone', () => {
  const old: { asyncDispose?: symbol } = {};
  ensureAsyncDispose(old);
  expect(old.asyncDispose).toBeTypeOf('symbol');
  const { asyncDispose } = Symbol;
  ensureAsyncDispose();
  expect(Symbol.asyncDispose).toBe(asyncDispose);
});
