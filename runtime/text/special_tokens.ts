/** Finds the tokens that are matched in a text as they stand, before it is split into words. */
import { isHidden, isSpecial, type Vocabulary } from './vocabulary.js';

/**
 * Stands before a control token that untrusted text spells: it is no token there. A noncharacter, which shielded text
 * itself cannot have.
 */
const MARK = '\ufdd0';
const LEADING_SPACE = /[ \t\n\v\f\r]*/y;

/** A piece of text, or the id of a special token. */
type Fragment = string | number;

export interface SplitOptions {
  /** Find control tokens, not only those that are text. */
  readonly control: boolean;
  /** `shield` went over parts of the text. */
  readonly shielded?: boolean;
}

export class SpecialTokens {
  readonly #visible: Matcher;
  readonly #hidden: Matcher;
  readonly #all: Matcher;

  constructor(private readonly vocabulary: Vocabulary) {
    const { types } = vocabulary;
    this.#visible = new Matcher(vocabulary, (id) => isSpecial(types[id]!) && !isHidden(types[id]!));
    this.#hidden = new Matcher(vocabulary, (id) => isHidden(types[id]!));
    this.#all = new Matcher(vocabulary, (id) => isSpecial(types[id]!));
  }

  /** From the left, the longest token first. */
  split(text: string, { control, shielded = false }: SplitOptions): Fragment[] {
    const { tokens, stripAfter } = this.vocabulary;
    const fragments: Fragment[] = [];
    let start = 0;
    const flush = (end: number) => {
      const piece = text.slice(start, end);
      const clean = shielded ? piece.replaceAll(MARK, '') : piece;
      if (clean !== '') fragments.push(clean);
    };
    for (let at = 0; at < text.length; ) {
      const marked = shielded && text[at] === MARK;
      if (marked) at++;
      const id = (control && !marked ? this.#all : this.#visible).longest(text, at);
      if (id === undefined) {
        at++;
        continue;
      }
      flush(at);
      fragments.push(id);
      at += tokens[id]!.length;
      if (stripAfter.has(id)) {
        LEADING_SPACE.lastIndex = at;
        at += LEADING_SPACE.exec(text)![0].length;
      }
      start = at;
    }
    flush(text.length);
    return fragments;
  }

  /** The text with a mark before each control token that it spells. */
  shield(text: string): string {
    const clean = text.replaceAll(MARK, '\ufffd');
    const pieces: string[] = [];
    let start = 0;
    for (let at = 0; at < clean.length; at++) {
      if (this.#hidden.longest(clean, at) === undefined) continue;
      pieces.push(clean.slice(start, at), MARK);
      start = at;
    }
    return pieces.join('') + clean.slice(start);
  }

  /** Takes the marks out again. */
  static unshield(text: string): string {
    return text.replaceAll(MARK, '');
  }
}

/** Finds the tokens that `accepts` takes. */
class Matcher {
  readonly #ids = new Map<string, number>();
  /** Lengths of the tokens that start with a UTF-16 unit, the longest first. */
  readonly #lengths = new Map<number, number[]>();

  constructor({ tokens }: Vocabulary, accepts: (id: number) => boolean) {
    const lengths = new Map<number, Set<number>>();
    for (const [id, token] of tokens.entries()) {
      if (!accepts(id) || token === '' || this.#ids.has(token)) continue;
      this.#ids.set(token, id);
      const unit = token.charCodeAt(0);
      lengths.set(unit, (lengths.get(unit) ?? new Set()).add(token.length));
    }
    for (const [unit, set] of lengths)
      this.#lengths.set(
        unit,
        [...set].sort((a, b) => b - a),
      );
  }

  longest(text: string, at: number): number | undefined {
    const lengths = this.#lengths.get(text.charCodeAt(at));
    if (lengths === undefined) return undefined;
    for (const length of lengths) {
      const id = this.#ids.get(text.slice(at, at + length));
      if (id !== undefined) return id;
    }
    return undefined;
  }
}
