/** What tokenizer and chat template are read from: the metadata of a GGUF file, or a folder's files as that metadata. */
import type { GgufFile } from '../../compiler/model/gguf.js';
import type { PreTokenizer } from './pre_tokenizers.js';

export interface TextSource extends Pick<GgufFile, 'path' | 'metadata'> {
  /** What a tokenizer.json says and GGUF has no key for. */
  readonly own?: {
    /** In place of the one that tokenizer.ggml.pre names. */
    readonly preTokenizer?: PreTokenizer;
    /** White space after these tokens belongs to them. */
    readonly stripAfter: ReadonlySet<number>;
    /** The model ends a text or a turn with these, too. */
    readonly ends: ReadonlySet<number>;
    /** The space before a text comes only at its beginning, not after special tokens. */
    readonly prefixOnlyFirst: boolean;
    /** There is no second space before a text that begins with one. */
    readonly prefixOnce: boolean;
    /** The scores are a Unigram model's, of the first `size` tokens. */
    readonly unigram?: { readonly size: number };
    /** SentencePiece: a word begins at each ▁, and no token goes on past it. */
    readonly splitsWords?: boolean;
  };
}
