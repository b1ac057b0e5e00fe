/** Standard output. */
import { ReaderLeft } from './exit.js';
import { printable, printableWriting } from './printable.js';

process.stdout.on('error', () => {}); // whoever wrote has it

/** A text of this program, escaped where it has foreign ones in it, then styled. Errors: those of put(). */
export const write = (text: string, style = (escaped: string) => escaped): Promise<void> => put(style(printable(text)));

/** What a model has written: as it is for a program, escaped for a terminal and then styled. Errors: those of put(). */
export const writeWriting = (text: string, style = (escaped: string) => escaped): Promise<void> =>
  put(process.stdout.isTTY ? style(printableWriting(text)) : text);

/** Resolves when it is written. Errors: ReaderLeft where nobody reads on, as behind `| head`. */
function put(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error?: NodeJS.ErrnoException | null) => {
      if (!error) resolve();
      else reject(error.code === 'EPIPE' ? new ReaderLeft() : error);
    });
  });
}
