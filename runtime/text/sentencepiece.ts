/**
 * SentencePiece's BPE (tokenizer.ggml.model "llama"): spaces are written ▁, of all neighbours that together are a token
 * the one of the highest score is joined first, and what is no token becomes bytes.
 */
import { mergeAll, type Rank } from './merge.js';
import type { WordModel } from './text_model.js';
import type { TextSource } from './text_source.js';
import { isSpecial, TokenType, type Vocabulary, wordTokens } from './vocabulary.js';
import { WordCache } from './word_cache.js';

const SPACE = '▁';
const BEFORE_SPACE = /[^▁](?=▁)/gu;

export class SentencePiece implements WordModel {
  readonly addBos = true;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #rank: Rank;
  readonly #byteIds: readonly (number | undefined)[];
  readonly #addSpacePrefix: boolean;
  /** Characters that some token has before a ▁. After any other, a ▁ starts a word: no merge crosses that place. */
  readonly #beforeSpace: ReadonlySet<string>;
  readonly #cache = new WordCache();

  constructor(
    private readonly file: TextSource,
    private readonly vocabulary: Vocabulary,
  ) {
    const { metadata } = file;
    const ids = wordTokens(vocabulary);
    this.#ids = ids;
    this.#beforeSpace = new Set([...ids.keys()].flatMap((token) => token.match(BEFORE_SPACE) ?? []));
    this.#byteIds = byteIds(vocabulary);
    this.#addSpacePrefix = metadata.getBool('tokenizer.ggml.add_space_prefix') ?? true;
    this.#rank = rankByScores(file, ids, vocabulary.tokens.length);
  }

  encode(text: string, ids: number[], afterSpecial: boolean): void {
    this.#merge(`${afterSpecial && this.#addSpacePrefix ? ' ' : ''}${text}`.replaceAll(' ', SPACE), ids);
  }

  #merge(spelled: string, ids: number[]): void {
    let start = 0;
    const add = (end: number) => {
      for (const id of this.#cache.get(spelled.slice(start, end), this.#encodeWord)) ids.push(id);
      start = end;
    };
    for (const { 0: character, index } of spelled.matchAll(BEFORE_SPACE))
      if (!this.#beforeSpace.has(character)) add(index + character.length);
    add(spelled.length);
  }

  readonly #encodeWord = (word: string): number[] =>
    mergeAll(word, this.#rank).flatMap((symbol) => {
      const id = this.#ids.get(symbol);
      return id === undefined ? this.#spell(symbol) : [id];
    });

  #spell(symbol: string): number[] {
    const ids = Array.from(Buffer.from(symbol), (byte) => this.#byteIds[byte]);
    if (ids.every((id) => id !== undefined)) return ids;
    const { unknown } = this.vocabulary;
    if (unknown !== undefined) return [unknown];
    const problem = `expected a token "<0x00>" to "<0xFF>" for each byte, or an unknown token, found neither`;
    return this.file.metadata.fail('tokenizer.ggml.tokens', problem);
  }

  bytes(id: number): Uint8Array {
    const token = this.vocabulary.tokens[id]!;
    const type = this.vocabulary.types[id]!;
    if (type === TokenType.BYTE) return Uint8Array.of(Number.parseInt(token.slice(3, 5), 16));
    return Buffer.from(isSpecial(type) ? token : token.replaceAll(SPACE, ' '));
  }

  startsWithSpace(id: number): boolean {
    return (
      this.#addSpacePrefix && !isSpecial(this.vocabulary.types[id]!) && this.vocabulary.tokens[id]!.startsWith(SPACE)
    );
  }
}

/** Neighbours that together are a token, by its score. */
function rankByScores(file: TextSource, ids: ReadonlyMap<string, number>, vocabSize: number): Rank {
  const scores = readScores(file, vocabSize);
  return (word, start, _middle, end) => {
    const id = ids.get(word.slice(start, end));
    return id === undefined ? undefined : -scores[id]!;
  };
}

function readScores({ metadata }: TextSource, vocabSize: number): readonly number[] {
  const key = 'tokenizer.ggml.scores';
  const scores = metadata.numberArray(key) ?? metadata.fail(key, 'expected an array of numbers, found no such key');
  if (scores.length !== vocabSize)
    metadata.fail(key, `expected ${vocabSize} elements, one a token, found ${scores.length}`);
  const nan = scores.findIndex(Number.isNaN);
  if (nan >= 0) metadata.fail(key, `expected numbers, element ${nan} is NaN`);
  return scores;
}

function byteIds({ tokens, types }: Vocabulary): (number | undefined)[] {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (types[id] === TokenType.BYTE) ids.set(token, id);
  return Array.from({ length: 256 }, (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
}
