/** Byte-level BPE, GPT-2's: every byte is written as one character, and merges have an order. */
import { UnsupportedError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { readBytes, spellBytes } from './byte_alphabet.js';
import { mergeAll, type Rank } from './merge.js';
import { readMerges } from './merges.js';
import { PRE_TOKENIZERS, type PreTokenizer, splitWords } from './pre_tokenizers.js';
import type { WordModel } from './text_model.js';
import type { TextSource } from './text_source.js';
import { isSpecial, type Vocabulary, wordTokens } from './vocabulary.js';
import { WordCache } from './word_cache.js';

export class ByteLevelBpe implements WordModel {
  readonly addBos: boolean;
  readonly #pre: PreTokenizer;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #rank: Rank;
  readonly #cache = new WordCache();

  constructor(
    file: TextSource,
    private readonly vocabulary: Vocabulary,
  ) {
    this.#pre = readPreTokenizer(file);
    this.addBos = this.#pre.addBos;
    this.#ids = wordTokens(vocabulary);
    const ranks = readMerges(file);
    this.#rank = (word, start, middle, end) => ranks.get(`${word.slice(start, middle)} ${word.slice(middle, end)}`);
  }

  encode(text: string, ids: number[]): void {
    for (const word of splitWords(text, this.#pre.splitters))
      for (const id of this.#cache.get(word, this.#encodeWord)) ids.push(id);
  }

  readonly #encodeWord = (word: string): number[] => {
    const spelled = spellBytes(word);
    const whole = this.#pre.ignoreMerges ? this.#ids.get(spelled) : undefined;
    if (whole !== undefined) return [whole];
    // A vocabulary may lack bytes that its training never saw. As in its publisher's tokenizer they leave no token.
    return mergeAll(spelled, this.#rank).flatMap((symbol) => {
      const id = this.#ids.get(symbol);
      return id === undefined ? [...symbol].flatMap((character) => this.#ids.get(character) ?? []) : [id];
    });
  };

  bytes(id: number): Uint8Array {
    const token = this.vocabulary.tokens[id]!;
    if (isSpecial(this.vocabulary.types[id]!)) return Buffer.from(token);
    return readBytes(token);
  }

  readonly startsWithSpace = () => false;
}

function readPreTokenizer({ metadata, path }: TextSource): PreTokenizer {
  // Files from before the key existed are split as llama.cpp splits them.
  const name = metadata.getString('tokenizer.ggml.pre') || 'default';
  const known = PRE_TOKENIZERS.get(name);
  if (known) return known;
  const hint = `its way of splitting words is missing; ${[...PRE_TOKENIZERS.keys()].map((name) => quote(name)).join(', ')} are`;
  throw new UnsupportedError(path, `pre-tokenizer ${quote(name)}`, hint);
}
