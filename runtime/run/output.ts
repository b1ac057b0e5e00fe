/** Standard output, for programs that read it. */
import { write } from '../common/stdout.js';

/** JSON for programs. Integers beyond 2^53 are strings, bytes are lists of numbers. */
export function writeJson(value: unknown): Promise<void> {
  const plain = (_key: string, item: unknown) => {
    if (typeof item === 'bigint') return Number.isSafeInteger(Number(item)) ? Number(item) : `${item}`;
    return item instanceof Uint8Array ? [...item] : item;
  };
  return write(`${JSON.stringify(value, plain, 2)}\n`);
}
