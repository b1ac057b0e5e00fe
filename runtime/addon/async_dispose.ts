/** `await using` needs Symbol.asyncDispose, which Node has from 20.5 on. Imported before classes that are named with it. */
export function ensureAsyncDispose(symbols: object = Symbol): void {
  if (!('asyncDispose' in symbols))
    Object.defineProperty(symbols, 'asyncDispose', { value: Symbol.for('nodejs.asyncDispose') });
}

ensureAsyncDispose();
