/** Token ids of words that were seen before: text repeats itself, and a look-up is far cheaper than merging. */
const MAX_WORDS = 1 << 15;
const MAX_WORD_LENGTH = 64;

export class WordCache {
  readonly #ids = new Map<string, readonly number[]>();

  get(word: string, encode: (word: string) => readonly number[]): readonly number[] {
    if (word.length > MAX_WORD_LENGTH) return encode(word);
    let ids = this.#ids.get(word);
    if (ids === undefined) {
      ids = encode(word);
      if (this.#ids.size >= MAX_WORDS) this.#ids.clear();
      this.#ids.set(word, ids);
    }
    return ids;
  }
}
