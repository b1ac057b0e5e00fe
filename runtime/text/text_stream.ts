import type { Tokenizer } from './tokenizer.js';

/**
 * Text of tokens that come one by one. A character whose bytes are spread over several tokens appears, whole, with the
 * last of them. Control tokens do not appear, but for those in `shown`. All of it together is what `decode` makes of the tokens.
 */
export class TextStream {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #shown: ReadonlySet<number>;
  #continues: boolean;
  /** The last bytes, as many as can be the beginning of a character. */
  #tail: Uint8Array = new Uint8Array();

  /** `continues`: the tokens go on with a text, so that a space before their first word is kept. */
  constructor(
    private readonly tokenizer: Tokenizer,
    { continues = false, shown = NONE }: { continues?: boolean; shown?: ReadonlySet<number> | undefined } = {},
  ) {
    this.#shown = shown;
    this.#continues = continues;
  }

  /** The text that this token completes; often its own, sometimes none. */
  push(id: number): string {
    const bytes = this.tokenizer.bytes(id, { skipControl: !this.#shown.has(id), continues: this.#continues });
    if (!this.tokenizer.isControl(id)) this.#continues = true;
    this.#tail = Buffer.concat([this.#tail, bytes]).subarray(-LONGEST_PART);
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** The last character lacks bytes: it is not in the text yet. */
  get isInCharacter(): boolean {
    const back = this.#tail.toReversed().findIndex((byte) => byte < 0x80 || byte >= 0xc0) + 1;
    return back > 0 && back < characterBytes(this.#tail.at(-back)!);
  }

  /** U+FFFD where the last character lacks bytes. The stream can then be used anew. */
  end(): string {
    this.#tail = new Uint8Array();
    return this.#decoder.decode();
  }
}

const LONGEST_PART = 3;
const NONE: ReadonlySet<number> = new Set();

/** Of the UTF-8 character that begins with this byte. */
const characterBytes = (first: number): number => (first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);
