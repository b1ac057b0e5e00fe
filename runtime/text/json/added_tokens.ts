/** The added_tokens of a tokenizer.json: found in a text as they stand, before it is split into words. */

import { quote } from '../../common/quote.js';
import { isObject, type Json, type JsonObject, kindOf } from '../../files/json.js';
import { MARK } from '../mark.js';
import type { SplitOptions } from '../text_model.js';
import { Trie } from '../trie.js';
import { Fields } from './fields.js';
import { isId } from './ids.js';
import type { Normalizer } from './normalizers.js';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** It takes the white space before it, or after it, along. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** It is none within a word. */
  readonly single: boolean;
  /** It is looked for in the normalized text. */
  readonly normalized: boolean;
}

/** What untrusted text may spell is bounded: the longest is tried at each place. */
const MOST_LENGTH = 1 << 12;
const MOST_LENGTHS = 1 << 22;

const WORD_AT = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/uy;
const SPACES_AT = /\p{White_Space}*/uy;
const SPACE = /\p{White_Space}/u;

/** The tokens and their ids: a text that is a token of the model has that one's. */
export function readAddedTokens(file: Fields, known: ReadonlyMap<string, number>): AddedToken[] {
  const list = file.get('added_tokens') ?? [];
  if (!Array.isArray(list)) return file.fail('added_tokens', `expected a list, found ${kindOf(list)}`);
  let length = 0;
  const tokens = list.map((entry: Json) => {
    if (!isObject(entry)) return file.fail('added_tokens', `expected an object, found ${kindOf(entry)}`);
    const token = readToken(new Fields(file.path, 'added_tokens', entry as JsonObject, file.steps), known);
    length += token.content.length;
    return token;
  });
  if (length > MOST_LENGTHS)
    file.refuse(`added tokens of ${length} characters together`, `at most ${MOST_LENGTHS} are supported`);
  return tokens.filter(({ content }) => content !== '');
}

function readToken(fields: Fields, known: ReadonlyMap<string, number>): AddedToken {
  const content = fields.text('content');
  if (content.length > MOST_LENGTH)
    fields.refuse(`an added token of ${content.length} characters`, `at most ${MOST_LENGTH} are supported`);
  const given = fields.get('id');
  const id = known.get(content) ?? given;
  if (!isId(id)) return fields.fail('id', `expected an id for ${quote(content)}, found ${kindOf(given)}`);
  const special = fields.bool('special', false);
  return {
    ...{ id, content, special },
    lstrip: fields.bool('lstrip', false),
    rstrip: fields.bool('rstrip', false),
    single: fields.bool('single_word', false),
    normalized: fields.bool('normalized', !special),
  };
}

/** A piece of text, or a token. */
export type Fragment = { readonly text: string; readonly first: boolean } | { readonly id: number };

export class AddedTokens {
  readonly #byId: ReadonlyMap<number, AddedToken>;
  /** What is looked for in a text as it is. */
  readonly #plain = new Trie();
  /** That and, where parts of the text are not trusted, all that is hidden: no normalizer makes such a token there. */
  readonly #trusted = new Trie();
  readonly #normalized = new Trie();
  readonly #hidden = new Trie();

  /** `isHidden`: a token is no text. */
  constructor(
    tokens: readonly AddedToken[],
    private readonly normalize: Normalizer,
    private readonly isHidden: (id: number) => boolean,
  ) {
    this.#byId = new Map(tokens.map((token) => [token.id, token]));
    for (const { id, content, normalized } of this.#byId.values()) {
      const hidden = isHidden(id);
      if (normalized) this.#normalized.add(normalize(content), id);
      else this.#plain.add(content, id);
      if (!normalized || hidden) this.#trusted.add(content, id);
      if (hidden) this.#hidden.add(content, id);
    }
  }

  /** A text, normalized between its tokens. */
  split(text: string, options: SplitOptions): Fragment[] {
    const whole = { text, first: true };
    const plain = this.#find(whole, options.shielded ? this.#trusted : this.#plain, options);
    return plain.flatMap((fragment) => {
      if ('id' in fragment) return [fragment];
      const normalized = { text: this.normalize(fragment.text), first: fragment.first };
      // Of what is not trusted, nothing becomes a control token by being normalized.
      return this.#find(normalized, this.#normalized, { control: options.control && !options.shielded });
    });
  }

  spellsHidden = (text: string, at: number): boolean => this.#hidden.longest(text, at) !== undefined;

  /** From the left, the longest token first. */
  #find(whole: { text: string; first: boolean }, trie: Trie, { control, shielded = false }: SplitOptions): Fragment[] {
    const { text } = whole;
    const fragments: Fragment[] = [];
    let start = 0;
    const flush = (end: number) => {
      if (end <= start) return;
      const piece = text.slice(start, end);
      const clean = shielded ? piece.replaceAll(MARK, '') : piece;
      if (clean !== '') fragments.push({ text: clean, first: whole.first && start === 0 });
    };
    for (let at = 0; at < text.length; ) {
      const id = trie.longest(text, at);
      if (id === undefined) {
        at++;
        continue;
      }
      const { content, normalized, lstrip, rstrip, single } = this.#byId.get(id)!;
      const end = at + (normalized && trie === this.#normalized ? this.normalize(content) : content).length;
      const refused = this.isHidden(id) && (!control || (shielded && text[at - 1] === MARK));
      if (!refused && !(single && isInWord(text, at, end))) {
        const from = lstrip ? Math.max(start, spacesBefore(text, at)) : at;
        flush(from);
        start = rstrip ? spacesAfter(text, end) : end;
        if (start > from) fragments.push({ id }); // or the token before has taken it along
      }
      at = end;
    }
    flush(text.length);
    return fragments;
  }
}

function isInWord(text: string, start: number, end: number): boolean {
  const isWord = (at: number) => {
    WORD_AT.lastIndex = at;
    return WORD_AT.test(text);
  };
  if (end < text.length && isWord(end)) return true;
  const isPair = start > 1 && text.codePointAt(start - 2)! > 0xffff;
  return start > 0 && isWord(start - (isPair ? 2 : 1));
}

function spacesBefore(text: string, end: number): number {
  let start = end;
  while (start > 0 && SPACE.test(text[start - 1]!)) start--;
  return start;
}

function spacesAfter(text: string, start: number): number {
  SPACES_AT.lastIndex = start;
  return start + SPACES_AT.exec(text)![0].length;
}
