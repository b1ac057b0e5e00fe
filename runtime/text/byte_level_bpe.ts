/**
 * Byte-level BPE vocabularies of GGUF files (tokenizer.ggml.model "gpt2") as tokenizer.json definitions, the format of
 * Hugging Face's tokenizers.
 */
import { UnsupportedError } from '../../compiler/errors.js';
import type { GgufFile } from '../../compiler/model/gguf.js';
import { quote } from '../../compiler/model/quote.js';

interface PreTokenizer {
  /** Splits text into words, which merges never cross. */
  readonly pattern: string;
  /** A word that is a token as it stands is not built from merges. */
  readonly ignoreMerges: boolean;
  /** A text starts with the begin token, where tokenizer.ggml.add_bos_token does not say. */
  readonly addBos: boolean;
}

// The patterns of the models' publishers, by tokenizer.ggml.pre; the names are llama.cpp's.
const GPT2 = {
  pattern: String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  ignoreMerges: false,
  addBos: false,
};
const cl100k = (digits: string) =>
  String.raw`'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}` +
  String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const LLAMA3 = { pattern: cl100k(String.raw`\p{N}{1,3}`), ignoreMerges: true, addBos: true };
const QWEN2 = { pattern: cl100k(String.raw`\p{N}`), ignoreMerges: false, addBos: false };
const PRE_TOKENIZERS = new Map<string, PreTokenizer>([
  ['gpt-2', GPT2],
  ['llama3', LLAMA3],
  ['llama-v3', LLAMA3],
  ['llama-bpe', LLAMA3],
  ['qwen2', QWEN2],
  ['deepseek-r1-qwen', QWEN2],
]);

// llama.cpp's llama_token_type.
const CONTROL = 3;
const USER_DEFINED = 4;

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: false;
}

export interface Vocabulary {
  /** By token id. */
  readonly tokens: readonly string[];
  readonly addBos: boolean;
  readonly definition: object;
}

/** Errors: UnsupportedError names another tokenizer model or pre-tokenizer; ModelFileError names a damaged key. */
export function readVocabulary(file: GgufFile): Vocabulary {
  const model = file.metadata.requireString('tokenizer.ggml.model');
  if (model !== 'gpt2')
    throw new UnsupportedError(file.path, `tokenizer ${quote(model)}`, 'only "gpt2" is, byte-level BPE');
  const pre = preTokenizer(file);
  const tokens = readTokens(file);
  const vocab: Record<string, number> = Object.create(null); // a token may be called "__proto__"
  for (const [id, token] of tokens.entries()) vocab[token] = id;
  const definition = {
    version: '1.0',
    added_tokens: addedTokens(file, tokens),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: pre.pattern }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', vocab, merges: readMerges(file), ignore_merges: pre.ignoreMerges },
  };
  return { tokens, addBos: pre.addBos, definition };
}

function preTokenizer(file: GgufFile): PreTokenizer {
  const name = file.metadata.requireString('tokenizer.ggml.pre');
  const known = PRE_TOKENIZERS.get(name);
  if (known) return known;
  const hint = `only ${[...PRE_TOKENIZERS.keys()].map(quote).join(', ')} are`;
  throw new UnsupportedError(file.path, `pre-tokenizer ${quote(name)}`, hint);
}

function readTokens({ metadata }: GgufFile): string[] {
  const key = 'tokenizer.ggml.tokens';
  return metadata.stringArray(key) ?? metadata.fail(key, 'expected an array of strings, found no such key');
}

function readMerges({ metadata }: GgufFile): [string, string][] {
  const key = 'tokenizer.ggml.merges';
  const merges = metadata.stringArray(key) ?? metadata.fail(key, 'expected an array of strings, found no such key');
  return merges.map((merge, i) => {
    const space = merge.indexOf(' ', 1);
    if (space < 0) metadata.fail(key, `expected two tokens with a space between them, element ${i} is ${quote(merge)}`);
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
}

function addedTokens({ metadata }: GgufFile, tokens: readonly string[]): AddedToken[] {
  const key = 'tokenizer.ggml.token_type';
  const types = metadata.numberArray(key);
  if (types === undefined) return [];
  if (types.length !== tokens.length)
    metadata.fail(key, `expected ${tokens.length} elements, one a token, found ${types.length}`);
  return tokens
    .map((content, id) => ({ id, content, special: types[id] === CONTROL, normalized: false as const }))
    .filter(({ id, special }) => special || types[id] === USER_DEFINED);
}
