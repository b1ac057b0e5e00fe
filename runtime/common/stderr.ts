/** Standard error: what a user reads beside the result. */
import { printable, shorten } from './printable.js';

export const say = (line: string): void => void process.stderr.write(`${printable(line)}\n`);

/** Below 2 kB, whatever was found. */
export const sayError = (program: string, message: string): void =>
  void process.stderr.write(`${program}: ${shorten(printable(message))}\n`);
