/** An answer on a terminal: what the model thinks is dim, and apart from what it says. */
import { writeWriting } from '../../common/stdout.js';
import type { Piece } from '../../index.js';
import type { Style } from '../style.js';
import { TerminalText } from '../terminal_text.js';

export class ShownAnswer {
  readonly #text = new TerminalText(true);
  #thinks = false;

  constructor(
    private readonly style: Style,
    private readonly write: typeof writeWriting = writeWriting,
  ) {}

  async push({ text, reasoning = '' }: Piece): Promise<void> {
    if (reasoning !== '') {
      this.#thinks = true;
      await this.write(this.#text.push(reasoning), this.style.dim);
    }
    if (text === '') return;
    if (this.#thinks) await this.write(this.#text.push('\n\n'));
    this.#thinks = false;
    await this.write(this.#text.push(text));
  }
}
