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
