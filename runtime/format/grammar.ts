/** A format over a vocabulary: which tokens may follow which. */
import { Automaton, DEAD } from './automaton.js';
import type { Rule } from './expression.js';
import { FormatError } from './format_error.js';
import { buildNetwork } from './network.js';
import type { TokenTrie } from './token_trie.js';

/** What a vocabulary has. */
export interface Tokens {
  /** Of each token within a text; empty for control tokens. */
  readonly bytesOf: readonly Uint8Array[];
  readonly trie: TokenTrie;
  /** Of what begins a text, where that differs: white space before a first word may be left out. */
  readonly first: { readonly bytesOf: readonly Uint8Array[]; readonly trie: TokenTrie } | undefined;
  /** Any of these ends the text. */
  readonly ends: readonly number[];
}

/** Masks of a grammar that are kept; then it is made anew for those who begin. */
const MOST_MASKS = 2_000;

export class Grammar {
  readonly #automaton: Automaton;
  readonly #masks = new Map<number, Uint32Array<ArrayBuffer>>();

  /** Errors: FormatError. */
  constructor(
    start: Rule,
    readonly tokens: Tokens,
  ) {
    this.#automaton = new Automaton(buildNetwork(start));
  }

  get isFull(): boolean {
    return this.#masks.size >= MOST_MASKS;
  }

  get automaton(): Automaton {
    return this.#automaton;
  }

  /** Not to be changed. */
  mask(state: number, isFirst: boolean): Uint32Array<ArrayBuffer> {
    const { trie, first, ends } = this.tokens;
    const fromFirst = isFirst && first !== undefined;
    const key = fromFirst ? -1 - state : state;
    const known = this.#masks.get(key);
    if (known) return known;
    const words = (fromFirst ? first.trie : trie).mask(this.#automaton, state);
    if (this.#automaton.isFinal(state)) for (const token of ends) words[token >> 5]! |= 1 << (token & 31);
    this.#masks.set(key, words);
    return words;
  }
}

/** A text under way. */
export class Matcher {
  #state = Automaton.start;
  #isFirst: boolean;
  #ended = false;

  /** continues: it goes on with another text. */
  constructor(
    private readonly grammar: Grammar,
    { continues }: { continues: boolean },
  ) {
    this.#isFirst = !continues;
  }

  /** Of the tokens that may come next. Errors: FormatError where the vocabulary has none. */
  mask(): Uint32Array<ArrayBuffer> {
    const words = this.grammar.mask(this.#state, this.#isFirst);
    if (words.every((word) => word === 0))
      throw new FormatError('the vocabulary has no token with which the text could go on');
    return words;
  }

  /** The token has come; it was allowed. */
  accept(token: number): void {
    const { tokens, automaton } = this.grammar;
    if (this.#ended || (tokens.ends.includes(token) && automaton.isFinal(this.#state))) {
      this.#ended = true;
      return;
    }
    const from = (this.#isFirst && tokens.first) || tokens;
    this.#isFirst = false;
    for (const byte of from.bytesOf[token]!) this.#state = automaton.step(this.#state, byte);
    if (this.#state === DEAD) throw new Error(`token ${token} was chosen, which the format forbids`);
  }

  /** The text may end here. */
  get isFinal(): boolean {
    return this.grammar.automaton.isFinal(this.#state);
  }
}
