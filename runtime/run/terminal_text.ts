/** What a model wrote, for a terminal, which it cannot steer. */
import { printableWriting } from '../common/printable.js';

export class TerminalText {
  #lineStarts = true;

  /** `besidePrompts`: a line that begins with > is moved by a space, since `> ` is where the user writes. */
  constructor(private readonly besidePrompts = false) {}

  /** The next part of a text, as it is printed. */
  push(text: string): string {
    const kept = text.replaceAll('\r', ''); // of line ends; alone it would write over the line
    if (kept === '') return '';
    const before = this.#lineStarts ? '\n' : '';
    this.#lineStarts = kept.endsWith('\n');
    const moved = this.besidePrompts ? `${before}${kept}`.replaceAll('\n>', '\n >').slice(before.length) : kept;
    return printableWriting(moved);
  }
}
