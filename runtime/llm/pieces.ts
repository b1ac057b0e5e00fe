/** Tokens to pieces of text: whole characters, and nothing of a stop string. */
import { TextStream } from '../text/text_stream.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { findStop, possibleStop } from './stop_strings.js';
import type { Piece } from './types.js';

/** A piece without its text. */
export type Choice = Omit<Piece, 'text'>;

export class PieceStream {
  readonly #stream: TextStream;
  /** Pieces that were not handed over, because a stop string may have begun in them or a character has not ended. */
  #held: Piece[] = [];
  /** The stop string that came. After it, nothing else comes. */
  stopString: string | undefined;

  /**
   * `continues`: the tokens go on with a text, so that a space before their first word is kept. `shown`: control tokens that are
   * text all the same.
   */
  constructor(
    tokenizer: Tokenizer,
    private readonly stops: readonly string[],
    { continues, shown }: { continues: boolean; shown?: ReadonlySet<number> },
  ) {
    this.#stream = new TextStream(tokenizer, { continues, shown });
  }

  /** What can be handed over now that this token has been chosen. */
  push(choice: Choice): Piece[] {
    this.#held.push({ text: this.#stream.push(choice.token), ...choice });
    const text = this.#text();
    const match = findStop(text, this.stops);
    if (match) {
      this.stopString = match.stop;
      this.#cut(match.start);
      return this.#release(Number.POSITIVE_INFINITY);
    }
    return this.#release(text.length - possibleStop(text, this.stops), this.#stream.isInCharacter);
  }

  /** The rest, once there are no more tokens. */
  end(): Piece[] {
    const last = this.#held.pop();
    if (last) {
      const rest = this.stopString === undefined ? this.#stream.end() : '';
      this.#held.push({ ...last, text: last.text + rest });
    }
    return this.#release(Number.POSITIVE_INFINITY);
  }

  #text(): string {
    return this.#held.map(({ text }) => text).join('');
  }

  #cut(length: number): void {
    let left = length;
    this.#held = this.#held.map((piece) => {
      const text = piece.text.slice(0, left);
      left -= text.length;
      return { ...piece, text };
    });
  }

  /** The pieces whose text ends by `length`, but for the last one where that is kept. */
  #release(length: number, keepLast = false): Piece[] {
    let end = 0;
    let count = 0;
    const most = this.#held.length - (keepLast ? 1 : 0);
    while (count < most && end + this.#held[count]!.text.length <= length) end += this.#held[count++]!.text.length;
    return this.#held.splice(0, count);
  }
}
