/** Standard output. */
import { ReaderLeft } from './exit.js';

process.stdout.on('error', () => {}); // whoever wrote has it

/** Resolves when it is written. Errors: ReaderLeft where nobody reads on, as behind `| head`. */
export function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error?: NodeJS.ErrnoException | null) => {
      if (!error) resolve();
      else reject(error.code === 'EPIPE' ? new ReaderLeft() : error);
    });
  });
}

/** JSON for programs. Integers beyond 2^53 are strings, bytes are lists of numbers. */
export function writeJson(value: unknown): Promise<void> {
  const plain = (_key: string, item: unknown) => {
    if (typeof item === 'bigint') return Number.isSafeInteger(Number(item)) ? Number(item) : `${item}`;
    return item instanceof Uint8Array ? [...item] : item;
  };
  return write(`${JSON.stringify(value, plain, 2)}\n`);
}
