/** Bold and dim where the stream is a terminal that has them; NO_COLOR and FORCE_COLOR count. */
import type { WriteStream } from 'node:tty';

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
}

export function styleOf(stream: NodeJS.WriteStream): Style {
  const colours = stream.isTTY === true && (stream as WriteStream).hasColors();
  const wrap = (on: number, off: number) => (text: string) => (colours ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  return { bold: wrap(1, 22), dim: wrap(2, 22) };
}
