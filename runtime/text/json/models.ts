/** The model of a tokenizer.json: a word to token ids. */

import { quote } from '../../common/quote.js';
import { isObject, type Json, kindOf } from '../../files/json.js';
import { Unigram } from '../unigram.js';
import { WordCache } from '../word_cache.js';
import { Bpe } from './bpe.js';
import type { Fields } from './fields.js';
import { isId } from './ids.js';
import { byteIds, type Model } from './model.js';

/** Every beginning of what is left is looked for in these: no text is to take seconds. */
const MOST_WORD = 1 << 8;
const MOST_PIECE = 1 << 7;

/** Errors: UnsupportedError names a type that is not known; ModelFileError what is damaged. */
export function readModel(fields: Fields): Model {
  const type = fields.get('type') ?? 'BPE';
  switch (type) {
    case 'BPE':
      return new Bpe(fields, readVocabulary(fields));
    case 'Unigram':
      return readUnigram(fields);
    case 'WordPiece':
      return readWordPiece(fields);
    case 'WordLevel':
      return readWordLevel(fields);
    default:
      return fields.refuse(`a tokenizer of the type ${kindOf(type)}`, 'BPE, Unigram, WordPiece and WordLevel are');
  }
}

function readVocabulary(fields: Fields): Map<string, number> {
  const vocab = fields.get('vocab');
  if (!isObject(vocab)) return fields.fail('vocab', `expected an object, found ${kindOf(vocab)}`);
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) return fields.fail('vocab', `expected an id for ${quote(token)}, found ${kindOf(id)}`);
    ids.set(token, id);
  }
  return ids;
}

/** Of a token that the model has to have. */
function unknownToken(fields: Fields, ids: ReadonlyMap<string, number>, fallback: string): number {
  const token = fields.get('unk_token') ?? fallback;
  const id = typeof token === 'string' ? ids.get(token) : undefined;
  return id ?? fields.fail('unk_token', `expected a token of the vocabulary, found ${kindOf(token)}`);
}

function readWordLevel(fields: Fields): Model {
  const ids = readVocabulary(fields);
  const unknown = unknownToken(fields, ids, '<unk>');
  return { ids, unknown, complete: false, encode: (word) => [ids.get(word) ?? unknown] };
}

function readWordPiece(fields: Fields): Model {
  const ids = readVocabulary(fields);
  const unknown = unknownToken(fields, ids, '[UNK]');
  const value = fields.get('continuing_subword_prefix') ?? '##';
  if (typeof value !== 'string') fields.fail('continuing_subword_prefix', `expected a text, found ${kindOf(value)}`);
  const prefix = `${value}`;
  const most = fields.count('max_input_chars_per_word', 100);
  if (most > MOST_WORD) fields.refuse(`words of ${most} characters`, `at most ${MOST_WORD} are supported`);
  const longest = [...ids.keys()].reduce((length, token) => Math.max(length, token.length), 0);
  const encode = (word: string): readonly number[] => {
    if (word.length > most && [...word].length > most) return [unknown];
    const found: number[] = [];
    for (let start = 0; start < word.length; ) {
      let end = Math.min(word.length, start + longest);
      const before = start > 0 ? prefix : '';
      let id: number | undefined;
      for (; end > start; end--) {
        id = ids.get(before + word.slice(start, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return [unknown];
      found.push(id);
      start = end;
    }
    return found;
  };
  return { ids, unknown, complete: false, encode };
}

function readUnigram(fields: Fields): Model {
  const pieces = readPieces(fields);
  const [tokens, scores] = [pieces.map(([token]) => token), pieces.map(([, score]) => score)];
  const unknown = fields.get('unk_id');
  if (!isId(unknown) || unknown >= pieces.length)
    return fields.fail('unk_id', `expected the id of a token, found ${kindOf(unknown)}`);
  const longest = tokens.find((token) => token.length > MOST_PIECE);
  if (longest !== undefined)
    fields.refuse(`a piece of ${longest.length} characters`, `at most ${MOST_PIECE} are supported`);
  const unigram = new Unigram(tokens, scores, unknown);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const bytes = fields.bool('byte_fallback', false) ? byteIds(ids) : [];
  const spell = (piece: string): readonly number[] => {
    const spelled = Array.from(Buffer.from(piece), (byte) => bytes[byte]);
    return spelled.every((id) => id !== undefined) ? spelled : [unknown];
  };
  const cache = new WordCache();
  const cut = (word: string) =>
    unigram.cut(word).flatMap((piece) => {
      const id = unigram.idOf(piece);
      return id === undefined ? spell(piece) : [id];
    });
  const complete = bytes.length === 256 && !bytes.includes(undefined);
  return { ids, unknown, complete, encode: (word) => cache.get(word, cut) };
}

/** Tokens and their scores, by id. */
function readPieces(fields: Fields): (readonly [token: string, score: number])[] {
  const vocab = fields.get('vocab');
  if (!Array.isArray(vocab)) return fields.fail('vocab', `expected a list, found ${kindOf(vocab)}`);
  return vocab.map((entry: Json) => {
    const [token, score] = Array.isArray(entry) && entry.length === 2 ? entry : [];
    if (typeof token === 'string' && typeof score === 'number') return [token, score] as const;
    return fields.fail(
      'vocab',
      `expected a token and its score, found ${kindOf(Array.isArray(entry) ? token : entry)}`,
    );
  });
}
