/** BPE as the tokenizers library has it: characters to ids, pairs of which become one id, the first of the list first. */
import { quote } from '../../common/quote.js';
import { type Json, kindOf } from '../../files/json.js';
import { WordCache } from '../word_cache.js';
import type { Fields } from './fields.js';
import { type Merges, mergeIds, pairOf } from './merge_ids.js';
import { byteIds, type Model } from './model.js';

const SPACE = '▁';
/** Below that, cutting costs more than it saves. */
const LONG = 256;

export class Bpe implements Model {
  readonly unknown: number | undefined;
  readonly complete: boolean;
  readonly #merges: Merges;
  readonly #bytes: readonly (number | undefined)[];
  readonly #fuses: boolean;
  readonly #whole: boolean;
  readonly #prefix: string;
  readonly #suffix: string;
  /** Characters that some token has before a ▁; after any other, no merge crosses that place. Undefined: words are not cut. */
  readonly #beforeSpace: ReadonlySet<string> | undefined;
  readonly #cache = new WordCache();

  constructor(
    fields: Fields,
    readonly ids: ReadonlyMap<string, number>,
  ) {
    const dropout = fields.get('dropout') ?? 0;
    if (dropout !== 0) fields.refuse('BPE with dropout', `found ${kindOf(dropout)}`);
    const text = (key: string) => (fields.get(key) == null ? '' : fields.text(key));
    this.#prefix = text('continuing_subword_prefix');
    this.#suffix = text('end_of_word_suffix');
    this.#fuses = fields.bool('fuse_unk', false);
    this.#whole = fields.bool('ignore_merges', false);
    this.#bytes = fields.bool('byte_fallback', false) ? byteIds(ids) : [];
    this.complete = this.#bytes.length > 0 && !this.#bytes.includes(undefined);
    this.unknown = this.#readUnknown(fields);
    this.#merges = readMerges(fields, ids, this.#prefix.length);
    const plain = this.#prefix === '' && this.#suffix === '' && ids.has(SPACE);
    const before = /[^▁](?=▁)/gu;
    this.#beforeSpace = plain ? new Set([...ids.keys()].flatMap((token) => token.match(before) ?? [])) : undefined;
  }

  encode(word: string): readonly number[] {
    const whole = this.#whole ? this.ids.get(word) : undefined;
    if (whole !== undefined) return [whole];
    if (word.length < LONG || this.#beforeSpace === undefined) return this.#cache.get(word, this.#encode);
    const found: number[] = [];
    let start = 0;
    for (let at = word.indexOf(SPACE, 1); at >= 0; at = word.indexOf(SPACE, at + 1)) {
      const character = word.slice(at - 1, at);
      if (/[▁\ud800-\udfff]/.test(character) || this.#beforeSpace.has(character)) continue;
      for (const id of this.#cache.get(word.slice(start, at), this.#encode)) found.push(id);
      start = at;
    }
    for (const id of this.#cache.get(word.slice(start), this.#encode)) found.push(id);
    return found;
  }

  readonly #encode = (word: string): readonly number[] => mergeIds(this.#symbols(word), this.#merges);

  #readUnknown(fields: Fields): number | undefined {
    const token = fields.get('unk_token') ?? undefined;
    if (token === undefined) return undefined;
    const id = typeof token === 'string' ? this.ids.get(token) : undefined;
    return id ?? fields.fail('unk_token', `expected a token of the vocabulary, found ${kindOf(token)}`);
  }

  /** The ids of a word's characters. What is unknown is held back until something known comes: so does the library. */
  #symbols(word: string): number[] {
    const symbols: number[] = [];
    let held = false;
    const release = () => {
      if (held) symbols.push(this.unknown!);
      held = false;
    };
    for (let at = 0; at < word.length; ) {
      const end = at + (word.codePointAt(at)! > 0xffff ? 2 : 1);
      const symbol = `${at > 0 ? this.#prefix : ''}${word.slice(at, end)}${end === word.length ? this.#suffix : ''}`;
      at = end;
      const id = this.ids.get(symbol);
      if (id !== undefined) {
        release();
        symbols.push(id);
        continue;
      }
      const bytes = this.#bytes.length > 0 ? Array.from(Buffer.from(symbol), (byte) => this.#bytes[byte]) : [undefined];
      if (bytes.every((byte) => byte !== undefined)) symbols.push(...bytes);
      else if (this.unknown !== undefined) {
        if (!this.#fuses) release();
        held = true;
      }
    }
    release();
    return symbols;
  }
}

function readMerges(fields: Fields, ids: ReadonlyMap<string, number>, prefixLength: number): Merges {
  const list = fields.get('merges');
  if (!Array.isArray(list)) return fields.fail('merges', `expected a list, found ${kindOf(list)}`);
  const ranks = new Map<number, number>();
  const joined: number[] = [];
  for (const merge of list as readonly Json[]) {
    if (typeof merge === 'string' && merge.startsWith('#version')) continue;
    const parts = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left, right] = Array.isArray(parts) && parts.length === 2 ? (parts as Json[]) : [];
    if (typeof left !== 'string' || typeof right !== 'string')
      return fields.fail('merges', `expected two tokens, found ${kindOf(merge)}`);
    const found = [left, right, left + right.slice(prefixLength)].map(
      (token) => ids.get(token) ?? fields.fail('merges', `expected tokens of the vocabulary, found ${quote(token)}`),
    );
    ranks.set(pairOf(found[0]!, found[1]!), joined.push(found[2]!) - 1); // of a pair that is there twice the last counts
  }
  return { ranks, joined };
}
