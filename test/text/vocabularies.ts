/** GGUF files that hold a vocabulary and nothing else. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GgufFile, readGguf } from '../../runtime/files/gguf.js';
import { type MetadataValue, str, writeGguf } from '../support/gguf_writer.js';
import { bytesToUnicode } from './bpe.js';

export type Metadata = Record<string, MetadataValue>;
export const strings = (value: readonly string[]): MetadataValue => ({ type: 'array', of: 'string', value });
export const ints = (value: readonly number[]): MetadataValue => ({ type: 'array', of: 'int32', value });
export const floats = (value: readonly number[]): MetadataValue => ({ type: 'array', of: 'float32', value });
export const bool = (value: boolean): MetadataValue => ({ type: 'bool', value });

export function openVocabulary(metadata: Metadata): GgufFile {
  const path = join(mkdtempSync(join(tmpdir(), 'realizar-vocabulary-')), 'model.gguf');
  writeFileSync(path, writeGguf({ metadata: Object.entries(metadata), tensors: [] }));
  return readGguf(path);
}

/** A byte-level vocabulary of the 256 bytes and the given words, each joined from its left end. */
export function byteLevel(pre: string, extra: readonly string[] = [], override: Metadata = {}): GgufFile {
  const bytes = bytesToUnicode();
  const spelled = extra.map((word) => [...new TextEncoder().encode(word)].map((byte) => bytes.get(byte)!));
  const pairs = spelled.flatMap((word) => word.slice(1).map((next, i) => [word.slice(0, i + 1).join(''), next]));
  const tokens = [...new Set([...bytes.values(), ...pairs.map((pair) => pair.join('')), '<s>', 'a b'])];
  return openVocabulary({
    'tokenizer.ggml.model': str('gpt2'),
    'tokenizer.ggml.pre': str(pre),
    'tokenizer.ggml.tokens': strings(tokens),
    'tokenizer.ggml.merges': strings([...new Set(pairs.map((pair) => pair.join(' ')))]),
    ...override,
  });
}

/** A token, its score and its type: a character of llama.cpp's names, "normal" unless given. */
export type Piece = readonly [token: string, score?: number, type?: keyof typeof TYPES];
const TYPES = { normal: 1, unknown: 2, control: 3, user: 4, unused: 5, byte: 6 };
const BYTE_PIECES = Array.from(
  { length: 256 },
  (_, byte): Piece => [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0, 'byte'],
);

/** <unk>, <s>, </s>, 256 bytes (ids 3 to 258) and the given tokens. */
export function sentencePiece(pieces: readonly Piece[], override: Metadata = {}): GgufFile {
  const all: Piece[] = [
    ['<unk>', 0, 'unknown'],
    ['<s>', 0, 'control'],
    ['</s>', 0, 'control'],
    ...BYTE_PIECES,
    ...pieces,
  ];
  return openVocabulary({
    'tokenizer.ggml.model': str('llama'),
    'tokenizer.ggml.tokens': strings(all.map(([token]) => token)),
    'tokenizer.ggml.scores': floats(all.map(([, score]) => score ?? 0)),
    'tokenizer.ggml.token_type': ints(all.map(([, , type]) => TYPES[type ?? 'normal'])),
    ...override,
  });
}
