/** Text to token ids and back, with the vocabulary that a GGUF file carries. */
import { ByteLevelBpe } from './byte_level.js';
import { SentencePiece } from './sentencepiece.js';
import { SpecialTokens, type SplitOptions } from './special_tokens.js';
import type { TextModel } from './text_model.js';
import type { TextSource } from './text_source.js';
import { isHidden, readVocabulary, tokenKey, type Vocabulary } from './vocabulary.js';

export interface EncodeOptions {
  /** Put the begin and end tokens around the text that the model wants there; true unless given. */
  readonly addSpecial?: boolean;
  /** A control token that is spelled out in the text becomes that token; true unless given. False for untrusted text. */
  readonly parseSpecial?: boolean;
}

export interface DecodeOptions {
  /** Leave control tokens out; false unless given. */
  readonly skipControl?: boolean;
  /** The tokens continue a text: a space before the first word is kept. False unless given. */
  readonly continues?: boolean;
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class Tokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #model: TextModel;
  readonly #special: SpecialTokens;
  readonly #before: readonly number[];
  readonly #after: readonly number[];
  #longest: number | undefined;

  /** Errors: UnsupportedError for another kind of vocabulary, ModelFileError for damaged metadata. */
  constructor(file: TextSource) {
    const { metadata } = file;
    const vocabulary = readVocabulary(file);
    this.#vocabulary = vocabulary;
    this.#model = vocabulary.kind === 'bpe' ? new ByteLevelBpe(file, vocabulary) : new SentencePiece(file, vocabulary);
    this.#special = new SpecialTokens(vocabulary);
    const needed = (role: 'bos' | 'eos') => vocabulary[role] ?? metadata.requireUint(tokenKey(role));
    this.#before = (metadata.getBool('tokenizer.ggml.add_bos_token') ?? this.#model.addBos) ? [needed('bos')] : [];
    this.#after = metadata.getBool('tokenizer.ggml.add_eos_token') ? [needed('eos')] : [];
  }

  get vocabSize(): number {
    return this.#vocabulary.tokens.length;
  }

  encode(text: string, { addSpecial = true, parseSpecial = true }: EncodeOptions = {}): number[] {
    const ids = this.#encode(text, { control: parseSpecial });
    return addSpecial ? [...this.#before, ...ids, ...this.#after] : ids;
  }

  /**
   * Token ids of a text that a chat template made of parts that `shield` went over. It starts with one begin token where
   * the model wants one, whether the template wrote it or not.
   */
  encodePrompt(text: string): number[] {
    const ids = this.#encode(text, { control: true, shielded: true });
    return ids[0] === this.#before[0] ? ids : [...this.#before, ...ids];
  }

  #encode(text: string, options: SplitOptions): number[] {
    const ids: number[] = [];
    let afterSpecial = true;
    for (const fragment of this.#special.split(text.toWellFormed(), options)) {
      if (typeof fragment === 'number') ids.push(fragment);
      else this.#model.encode(fragment, ids, afterSpecial);
      afterSpecial = typeof fragment === 'number';
    }
    return ids;
  }

  /** Untrusted text for a template: control tokens that are spelled out in it are text to `encodePrompt`. */
  shield(text: string): string {
    return this.#special.shield(text);
  }

  /** Text of token ids. Bytes that are no UTF-8 become U+FFFD. Errors: RangeError for an id outside the vocabulary. */
  decode(ids: readonly number[], { skipControl = false, continues = false }: DecodeOptions = {}): string {
    const pieces = ids.map((id) => {
      const bytes = this.bytes(id, { skipControl, continues });
      if (!skipControl || !this.isControl(id)) continues = true;
      return bytes;
    });
    return UTF8.decode(Buffer.concat(pieces));
  }

  /** Bytes of one token, which need not be whole characters. Options and errors as of `decode`. */
  bytes(id: number, { skipControl = false, continues = false }: DecodeOptions = {}): Uint8Array {
    if (skipControl && this.isControl(id)) return new Uint8Array();
    this.#check(id);
    const bytes = this.#model.bytes(id);
    return !continues && this.#model.startsWithSpace(id) ? bytes.subarray(1) : bytes;
  }

  /** The token is no text. Errors: RangeError for an id outside the vocabulary. */
  isControl(id: number): boolean {
    this.#check(id);
    return isHidden(this.#vocabulary.types[id]!);
  }

  /** The model ends a text or a turn with this token. */
  isEnd(id: number): boolean {
    return this.#vocabulary.ends.has(id);
  }

  /** Bytes of the longest token; a text of more has more than one. */
  get longestToken(): number {
    this.#longest ??= this.#vocabulary.tokens.reduce((most, token) => Math.max(most, Buffer.byteLength(token)), 1);
    return this.#longest;
  }

  get bosId(): number | undefined {
    return this.#vocabulary.bos;
  }

  /** Of the token with this role, as the file spells it; undefined where there is none. */
  roleText(role: 'bos' | 'eos' | 'unknown'): string | undefined {
    const id = this.#vocabulary[role];
    return id === undefined ? undefined : this.#vocabulary.tokens[id];
  }

  /** All ids that `isEnd` knows. */
  get endIds(): readonly number[] {
    return [...this.#vocabulary.ends];
  }

  #check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabSize) return;
    throw new RangeError(`token ${id} is not among the ${this.vocabSize} of the vocabulary`);
  }
}
