/** Text to token ids and back, with the vocabulary that a GGUF file carries. */
import { UnsupportedError } from '../common/errors.js';
import { quote } from '../common/quote.js';
import { GgufText } from './gguf_text.js';
import { PipelineText } from './json/pipeline.js';
import type { SplitOptions, TextModel } from './text_model.js';
import type { TextSource } from './text_source.js';
import { isHidden, readVocabulary, TokenType, tokenKey, type Vocabulary } from './vocabulary.js';

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
  readonly #before: readonly number[];
  readonly #after: readonly number[];
  #longest: number | undefined;
  #controls: ReadonlyMap<string, number> | undefined;

  /** Rows of the model's embedding: ids that it takes and gives. */
  readonly rows: number;

  /**
   * `rows`: as many as tokens unless given. Errors: UnsupportedError for another kind of vocabulary, ModelFileError for
   * damaged metadata.
   */
  constructor(
    private readonly file: TextSource,
    { rows }: { rows?: number | undefined } = {},
  ) {
    const { metadata } = file;
    const vocabulary = readVocabulary(file);
    this.#vocabulary = vocabulary;
    this.rows = rows ?? vocabulary.tokens.length;
    const { own } = file;
    const hidden = (id: number) => isHidden(vocabulary.types[id] ?? TokenType.UNUSED);
    this.#model = own ? new PipelineText(own.pipeline, own.tokens, hidden) : new GgufText(file, vocabulary);
    const needed = (role: 'bos' | 'eos') => vocabulary[role] ?? metadata.requireUint(tokenKey(role));
    const adds = (role: 'bos' | 'eos') => metadata.getBool(`tokenizer.ggml.add_${role}_token`);
    this.#before = own?.before ?? ((adds('bos') ?? this.#model.addBos) ? [needed('bos')] : []);
    this.#after = own?.after ?? (adds('eos') ? [needed('eos')] : []);
    this.#requireRows([...this.#before, ...this.#after]);
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
    return this.#before.every((id, i) => ids[i] === id) ? ids : [...this.#before, ...ids];
  }

  #encode(text: string, options: SplitOptions): number[] {
    const ids = this.#model.encode(text.toWellFormed(), options);
    this.#requireRows(ids);
    return ids;
  }

  /** Fine-tunes add tokens that the embedding has no rows for: none of them can come, and none can be given. */
  #requireRows(ids: readonly number[]): void {
    const { rows } = this;
    if (rows >= this.vocabSize) return;
    const id = ids.find((id) => id >= rows);
    if (id === undefined) return;
    const token = quote(this.#vocabulary.tokens[id]!);
    throw new UnsupportedError(this.file.path, `the token ${token}`, `its id is ${id}, and the model has ${rows}`);
  }

  /** Untrusted text for a template: control tokens that are spelled out in it are text to `encodePrompt`. */
  shield(text: string): string {
    return this.#model.shield(text);
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
    return id < this.vocabSize ? this.#model.bytes(id, !continues) : new Uint8Array();
  }

  /** The token is no text. Errors: RangeError for an id outside the vocabulary. */
  isControl(id: number): boolean {
    this.#check(id);
    return isHidden(this.#vocabulary.types[id] ?? TokenType.UNUSED);
  }

  /** Ids of the control tokens that are spelled so, as far as there are such. */
  controlIds(texts: readonly string[]): number[] {
    this.#controls ??= new Map(
      this.#vocabulary.tokens.flatMap((token, id) => (this.isControl(id) ? [[token, id]] : [])),
    );
    return texts.flatMap((text) => this.#controls!.get(text) ?? []);
  }

  /** The model ends a text or a turn with this token. */
  isEnd(id: number): boolean {
    return id < this.rows && this.#vocabulary.ends.has(id);
  }

  /** Bytes of the longest token; a text of more has more than one. Infinite where parts of a text may have no token. */
  get longestToken(): number {
    if (!this.#model.keepsAll) return Number.POSITIVE_INFINITY;
    this.#longest ??= this.#vocabulary.tokens.reduce((most, token) => Math.max(most, Buffer.byteLength(token)), 1);
    return this.#longest;
  }

  /** What of the file is left out, as sentences without an end. */
  get warnings(): readonly string[] {
    const { rows, vocabSize } = this;
    if (rows >= vocabSize) return this.#vocabulary.warnings;
    const beyond = `the tokenizer has ${vocabSize} tokens, and the model's embedding ${rows} rows: tokens from ${rows} cannot be used`;
    return [...this.#vocabulary.warnings, beyond];
  }

  /** Undefined where the embedding has no row for it. */
  get bosId(): number | undefined {
    const { bos } = this.#vocabulary;
    return bos !== undefined && bos < this.rows ? bos : undefined;
  }

  /** Of the token with this role, as the file spells it; undefined where there is none. */
  roleText(role: 'bos' | 'eos' | 'unknown'): string | undefined {
    const id = this.#vocabulary[role];
    return id === undefined ? undefined : this.#vocabulary.tokens[id];
  }

  /** All ids that `isEnd` knows. */
  get endIds(): readonly number[] {
    return [...this.#vocabulary.ends].filter((id) => id < this.rows);
  }

  #check(id: number): void {
    const most = Math.max(this.vocabSize, this.rows);
    if (Number.isInteger(id) && id >= 0 && id < most) return;
    throw new RangeError(`token ${id} is not among the ${most} of the vocabulary`);
  }
}
