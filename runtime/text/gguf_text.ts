/** Text as a GGUF file's vocabulary has it, special tokens first: what llama.cpp does. */
import { ByteLevelBpe } from './byte_level.js';
import { SentencePiece } from './sentencepiece.js';
import { SpecialTokens } from './special_tokens.js';
import type { SplitOptions, TextModel, WordModel } from './text_model.js';
import type { TextSource } from './text_source.js';
import type { Vocabulary } from './vocabulary.js';

export class GgufText implements TextModel {
  readonly keepsAll = true;
  readonly #words: WordModel;
  readonly #special: SpecialTokens;

  /** Errors: UnsupportedError for another way of splitting words; ModelFileError for damaged metadata. */
  constructor(file: TextSource, vocabulary: Vocabulary) {
    this.#words = vocabulary.kind === 'bpe' ? new ByteLevelBpe(file, vocabulary) : new SentencePiece(file, vocabulary);
    this.#special = new SpecialTokens(vocabulary);
  }

  get addBos(): boolean {
    return this.#words.addBos;
  }

  encode(text: string, options: SplitOptions): number[] {
    const ids: number[] = [];
    let afterSpecial = true;
    for (const fragment of this.#special.split(text, options)) {
      if (typeof fragment === 'number') ids.push(fragment);
      else this.#words.encode(fragment, ids, afterSpecial);
      afterSpecial = typeof fragment === 'number';
    }
    return ids;
  }

  shield(text: string): string {
    return this.#special.shield(text);
  }

  bytes(id: number, first: boolean): Uint8Array {
    const bytes = this.#words.bytes(id);
    return first && this.#words.startsWithSpace(id) ? bytes.subarray(1) : bytes;
  }
}
