/** What a model wrote, for a terminal, which it cannot steer. */

/** Those that steer a terminal (C0 but tab and line end, DEL, C1), and those that reorder text. */
const isHidden = (code: number): boolean =>
  (code < 0x20 && code !== 0x09 && code !== 0x0a) ||
  (code >= 0x7f && code < 0xa0) ||
  (code >= 0x202a && code <= 0x202e) ||
  (code >= 0x2066 && code <= 0x2069);

const CARRIAGE_RETURN = 0x0d;

export class TerminalText {
  #lineStarts = true;

  /** `besidePrompts`: a line that begins with > is moved by a space, since `> ` is where the user writes. */
  constructor(private readonly besidePrompts = false) {}

  /** The next part of a text, as it is printed. */
  push(text: string): string {
    let printed = '';
    for (const character of text) {
      const code = character.codePointAt(0)!;
      if (code === CARRIAGE_RETURN) continue; // of a line end; alone it would write over the line
      if (this.besidePrompts && this.#lineStarts && character === '>') printed += ' ';
      printed += isHidden(code) ? `\\u${code.toString(16).padStart(4, '0')}` : character;
      this.#lineStarts = character === '\n';
    }
    return printed;
  }
}
