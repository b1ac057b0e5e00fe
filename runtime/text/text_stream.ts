import type { Tokenizer } from './tokenizer.js';

/**
 * Text of tokens that come one by one. A character whose bytes are spread over several tokens appears, whole, with the
 * last of them. Control tokens do not appear. All of it together is what `decode` makes of the tokens.
 */
export class TextStream {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #continues: boolean;

  /** `continues`: the tokens go on with a text, so that a space before their first word is kept. */
  constructor(
    private readonly tokenizer: Tokenizer,
    { continues = false }: { continues?: boolean } = {},
  ) {
    this.#continues = continues;
  }

  /** The text that this token completes; often its own, sometimes none. */
  push(id: number): string {
    const bytes = this.tokenizer.bytes(id, { skipControl: true, continues: this.#continues });
    if (!this.tokenizer.isControl(id)) this.#continues = true;
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** U+FFFD where the last character lacks bytes. The stream can then be used anew. */
  end(): string {
    return this.#decoder.decode();
  }
}
