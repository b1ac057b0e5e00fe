import type { Tokenizer } from './tokenizer.js';

const REPLACEMENT = '\ufffd';

/**
 * Text of tokens that come one by one. A character whose bytes are spread over several tokens appears, whole, with the
 * last of them. Control tokens do not appear.
 */
export class TextStream {
  #pending: number[] = [];
  /** UTF-16 units of the pending tokens' text that were returned. */
  #returned = 0;

  constructor(private readonly tokenizer: Tokenizer) {}

  /** The text that this token completes; often its own, sometimes none. */
  push(id: number): string {
    this.#pending.push(id);
    const text = this.tokenizer.decode(this.#pending, { skipControl: true });
    // A text that stops inside a character decodes with one U+FFFD at its end.
    const unfinished = text.endsWith(REPLACEMENT);
    const ready = text.slice(this.#returned, unfinished ? -REPLACEMENT.length : undefined);
    this.#returned += ready.length;
    if (!unfinished) {
      this.#pending = [];
      this.#returned = 0;
    }
    return ready;
  }
}
