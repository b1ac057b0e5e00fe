/** Finds the tokens that are matched in a text as they stand, before it is split into words. */

import { MARK, shield, unshield } from './mark.js';
import type { SplitOptions } from './text_model.js';
import { Trie } from './trie.js';
import { isHidden, isSpecial, type Vocabulary } from './vocabulary.js';

const LEADING_SPACE = /[ \t\n\v\f\r]*/y;

/** A piece of text, or the id of a special token. */
type Fragment = string | number;

export class SpecialTokens {
  readonly #visible: Trie;
  readonly #hidden: Trie;
  readonly #all: Trie;

  constructor(private readonly vocabulary: Vocabulary) {
    const { types } = vocabulary;
    this.#visible = trieOf(vocabulary, (id) => isSpecial(types[id]!) && !isHidden(types[id]!));
    this.#hidden = trieOf(vocabulary, (id) => isHidden(types[id]!));
    this.#all = trieOf(vocabulary, (id) => isSpecial(types[id]!));
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
    return shield(text, (clean, at) => this.#hidden.longest(clean, at) !== undefined);
  }

  /** Takes the marks out again. */
  static unshield(text: string): string {
    return unshield(text);
  }
}

/** Of the tokens that `accepts` takes. */
function trieOf({ tokens }: Vocabulary, accepts: (id: number) => boolean): Trie {
  const trie = new Trie();
  for (const [id, token] of tokens.entries()) if (token !== '' && accepts(id)) trie.add(token, id);
  return trie;
}
