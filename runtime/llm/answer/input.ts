/**
 * An answer as a parser sees it: characters that come little by little. Where more may change what there is to do the parser
 * waits, so that an answer is read the same however it is cut.
 */
import { findStop, type Match, possibleStop } from '../stop_strings.js';
import { type Part, type Step, text } from './parts.js';

/** UTF-16 units of a name, a key or a header; what is longer is none. */
export const LONGEST_NAME = 256;

const BLANK = /\s/;

export class Input {
  /** What has come and was not taken yet. */
  #rest = '';
  #ended = false;
  /** What was taken since `keep`, and is text if it comes to nothing. */
  #kept = '';
  #keeps = false;
  /** A call was the last thing that was read. */
  #afterCall = false;

  push(more: string): void {
    this.#rest += more;
  }

  end(): void {
    this.#ended = true;
  }

  /** Something of what has come was not handed over yet. */
  get pending(): boolean {
    return this.#rest !== '' || this.#kept !== '';
  }

  /** From here on what is taken is kept, until it is known what it is. */
  keep(): void {
    this.#kept = '';
    this.#keeps = true;
  }

  /** A call has been read: white space between it and another one, or the end, is none of the answer. */
  called(): void {
    this.#afterCall = true;
  }

  /** What was kept is what it seemed to be: it is handed over otherwise. */
  settle(): void {
    this.#kept = '';
    this.#keeps = false;
  }

  /** What was kept is nothing else than text. */
  *giveBack(): Step {
    const kept = this.#kept;
    this.settle();
    if (kept !== '') yield text(kept);
  }

  /** Takes the word that comes next but for white space, if it is one of these; else nothing. */
  *closing(words: readonly string[]): Step {
    this.keep();
    yield* this.blanks();
    if (!(yield* this.word(...words))) this.#rest = this.#kept + this.#rest;
    this.settle();
  }

  take(length: number): string {
    const taken = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    if (this.#keeps) this.#kept += taken;
    return taken;
  }

  /** Up to so many characters, as many as there are before the end. They are not taken. */
  *peek(length: number): Step<string> {
    while (this.#rest.length < length && !this.#ended) yield undefined;
    return this.#rest.slice(0, length);
  }

  /** What has come, at least a character of it; empty at the end. It is not taken. */
  *some(): Step<string> {
    yield* this.peek(1);
    return this.#rest;
  }

  /** Takes all that comes. */
  *all(): Step<string> {
    while (!this.#ended) yield undefined;
    return this.take(this.#rest.length);
  }

  /** Takes white space. */
  *blanks(): Step<string> {
    let taken = '';
    while (BLANK.test(yield* this.peek(1))) taken += this.take(1);
    return taken;
  }

  /** Takes the word that comes next, if it is one of these. */
  *word(...words: string[]): Step<string | undefined> {
    for (;;) {
      const found = words.find((word) => this.#rest.startsWith(word));
      if (found !== undefined) {
        this.take(found.length);
        return found;
      }
      const mayCome = words.some((word) => word.startsWith(this.#rest));
      if (!mayCome || this.#ended) return undefined;
      yield undefined;
    }
  }

  /** Takes what comes before the first of these words; undefined where none comes, or not soon enough. */
  *upTo(words: readonly string[], most = LONGEST_NAME): Step<string | undefined> {
    for (;;) {
      const match = findStop(this.#rest, words);
      if (match) return match.start <= most ? this.take(match.start) : undefined;
      if (this.#ended || this.#rest.length > most + LONGEST_NAME) return undefined;
      yield undefined;
    }
  }

  /** The first of these words, when it has come; undefined where none comes. Nothing is taken. */
  *find(words: readonly string[]): Step<Match | undefined> {
    for (;;) {
      const match = findStop(this.#rest, words);
      if (match || this.#ended) return match;
      yield undefined;
    }
  }

  /**
   * Hands over what comes before the first of these words, as it comes. Returns the word; undefined at the end. The word is not
   * taken, nor is, unless it is `verbatim`, the white space before it.
   */
  *hand(
    make: (text: string) => Part,
    words: readonly string[],
    how: 'trimmed' | 'verbatim' = 'trimmed',
  ): Step<string | undefined> {
    for (;;) {
      const match = findStop(this.#rest, words);
      const length = match?.start ?? this.#rest.length - (this.#ended ? 0 : possibleStop(this.#rest, words));
      const certain = this.#rest.slice(0, length);
      const isLast = match === undefined && this.#ended;
      const isGap = this.#afterCall && certain.trim() === '';
      const shown = this.take((how === 'verbatim' || isLast ? certain : certain.trimEnd()).length);
      if (shown !== '') this.#afterCall = false;
      if (shown !== '' && !(isGap && isLast)) yield make(shown);
      if (match || isLast) return match?.stop;
      yield undefined;
    }
  }
}
