/** Text to token ids and back, with the vocabulary that a GGUF file carries. */
import { Tokenizer as Definition } from '@huggingface/tokenizers';
import type { GgufFile } from '../../compiler/model/gguf.js';
import { readVocabulary } from './byte_level_bpe.js';

// Models end documents and turns with tokens that their metadata may not name; llama.cpp knows them by their text, too.
const END_TEXTS = ['<|endoftext|>', '<|end_of_text|>', '<|im_end|>', '<|eot_id|>', '<|eom_id|>', '<|end|>'];

export class Tokenizer {
  readonly #tokenizer: Definition;
  readonly #vocabSize: number;
  readonly #before: readonly number[];
  readonly #after: readonly number[];
  readonly #ends: ReadonlySet<number | undefined>;

  /** Errors: UnsupportedError for another kind of vocabulary, ModelFileError for damaged metadata. */
  constructor(file: GgufFile) {
    const { metadata } = file;
    const { tokens, addBos, definition } = readVocabulary(file);
    const tokenId = (role: string) => readTokenId(file, role, tokens.length);
    const needed = (role: string) => tokenId(role) ?? metadata.requireUint(tokenKey(role));
    this.#tokenizer = new Definition(definition, { clean_up_tokenization_spaces: false });
    this.#vocabSize = tokens.length;
    this.#before = (metadata.getBool('tokenizer.ggml.add_bos_token') ?? addBos) ? [needed('bos')] : [];
    this.#after = metadata.getBool('tokenizer.ggml.add_eos_token') ? [needed('eos')] : [];
    const ends = [...['eos', 'eot', 'eom'].map(tokenId), ...END_TEXTS.map((text) => tokens.indexOf(text))];
    this.#ends = new Set(ends.filter((id) => id !== -1));
  }

  /**
   * Token ids of a text, with the begin and end tokens that the model wants around it. A control token that is spelled
   * out in the text becomes that token.
   */
  encode(text: string): number[] {
    return [...this.#before, ...this.#tokenizer.encode(text).ids, ...this.#after];
  }

  /** Text of token ids. Bytes that are no UTF-8 become U+FFFD. Errors: RangeError for an id outside the vocabulary. */
  decode(ids: readonly number[], options: { skipControl?: boolean } = {}): string {
    const outside = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= this.#vocabSize);
    if (outside !== undefined)
      throw new RangeError(`token ${outside} is not among the ${this.#vocabSize} of the vocabulary`);
    if (ids.length === 0) return '';
    return this.#tokenizer.decode([...ids], { skip_special_tokens: options.skipControl ?? false });
  }

  /** The model ends a text or a turn with this token. */
  isEnd(id: number): boolean {
    return this.#ends.has(id);
  }
}

const tokenKey = (role: string) => `tokenizer.ggml.${role}_token_id`;

function readTokenId({ metadata }: GgufFile, role: string, vocabSize: number): number | undefined {
  const id = metadata.getUint(tokenKey(role));
  if (id !== undefined && id >= vocabSize)
    metadata.fail(tokenKey(role), `expected a token id below ${vocabSize}, found ${id}`);
  return id;
}
