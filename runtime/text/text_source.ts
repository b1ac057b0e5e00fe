/** What tokenizer and chat template are read from: the metadata of a GGUF file, or a folder's files. */
import type { GgufFile } from '../files/gguf.js';
import type { Pipeline } from './json/pipeline.js';

export interface TextSource extends Pick<GgufFile, 'path' | 'metadata'> {
  /** Of a folder: what its tokenizer.json says. Its metadata then has the chat templates alone. */
  readonly own?: OwnText;
}

export interface OwnText {
  readonly pipeline: Pipeline;
  /** By id; absent: rows of the embedding that no token has. */
  readonly tokens: readonly (string | undefined)[];
  /** By token id, see TokenType. */
  readonly types: readonly number[];
  readonly roles: { readonly [role in 'bos' | 'eos' | 'unknown']?: number };
  /** The model ends a text or a turn with these, too. */
  readonly ends: readonly number[];
  /** Tokens around a text. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}
