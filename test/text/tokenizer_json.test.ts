/** Tokenizers as transformers saves them, against the ids that its libraries give (make.py, make_unigram.mjs of the fixtures). */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { CompileError } from '../../runtime/common/errors.js';
import { ChatTemplate } from '../../runtime/text/chat_template.js';
import { textSource } from '../../runtime/text/open.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { writeFolder } from '../support/safetensors_writer.js';
import { temporaryFolder } from '../support/tiny_models.js';

const FOLDER = fileURLToPath(new URL('../fixtures/tokenizers', import.meta.url));
const names = readdirSync(FOLDER).filter((name) => !/\.(py|mjs)$/.test(name));

describe.each(names)('%s', (name) => {
  const folder = join(FOLDER, name);
  const source = textSource(folder);
  const tokenizer = new Tokenizer(source);
  const { encodings, chat } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));

  test.each<{ text: string; ids: number[] }>(encodings)('$text', ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
  });

  test('a conversation', async () => {
    const template = new ChatTemplate(source, tokenizer);
    expect(await template.encode([{ role: 'user', content: ' hi <there>' }])).toEqual(chat);
  });

  test('ends with the ids of generation_config.json', () => {
    const { eos_token_id: ends } = JSON.parse(readFileSync(join(folder, 'generation_config.json'), 'utf8'));
    for (const id of ends) expect(tokenizer.isEnd(id)).toBe(true);
    expect(tokenizer.roleText('bos')).toBe('<s>');
  });
});

// "ab a  a" by Hugging Face's library (its npm binding @anush008/tokenizers 0.6.0), with these merges.
describe('BPE with a Metaspace', () => {
  const vocab = { '<unk>': 0, a: 1, b: 2, '▁': 3, '▁a': 4, '▁▁': 5, 'b▁': 6, '▁▁a': 7 };
  const merges = ['b ▁', '▁ ▁', '▁ a', '▁▁ a'];
  test.each<[object, string[]]>([
    [{}, ['▁a', 'b', '▁a', '▁', '▁a']],
    [{ add_prefix_space: true }, ['▁a', 'b', '▁a', '▁', '▁a']],
    [{ prepend_scheme: 'always', split: true }, ['▁a', 'b', '▁a', '▁', '▁a']],
    [{ prepend_scheme: 'always', split: false }, ['▁a', 'b▁', 'a', '▁▁a']],
    [{ prepend_scheme: 'first', split: false }, ['▁a', 'b▁', 'a', '▁▁a']],
    [{ prepend_scheme: 'never', add_prefix_space: false }, ['a', 'b', '▁a', '▁', '▁a']],
  ])('%j', (step, pieces) => {
    const folder = writeFolder(mkdtempSync(join(temporaryFolder, 'tokenizer-')), {
      'tokenizer.json': {
        ...{ version: '1.0', added_tokens: [], normalizer: null, post_processor: null, decoder: null },
        pre_tokenizer: { type: 'Metaspace', replacement: '▁', ...step },
        model: { type: 'BPE', unk_token: '<unk>', byte_fallback: false, vocab, merges },
      },
    });
    const ids = new Tokenizer(textSource(folder)).encode('ab a  a');
    expect(ids.map((id) => Object.keys(vocab)[id])).toEqual(pieces);
  });
});

describe('refused by name', () => {
  const tokenizer = JSON.parse(readFileSync(join(FOLDER, 'llama3/tokenizer.json'), 'utf8'));
  const read = (change: object) => {
    const folder = writeFolder(mkdtempSync(join(temporaryFolder, 'tokenizer-')), {
      'tokenizer.json': { ...tokenizer, ...change },
    });
    return () => new Tokenizer(textSource(folder));
  };
  const token = tokenizer.added_tokens[0];
  const unigram = (change: object) => ({
    ...{ pre_tokenizer: null, decoder: null, post_processor: null },
    model: { type: 'Unigram', unk_id: 0, vocab: [['a', -1]], ...change },
  });
  const split = { type: 'Split', pattern: { Regex: 'a' }, behavior: 'Isolated', invert: false };
  const named = {
    single: [{ SpecialToken: { id: 'constructor' } }, { Sequence: { id: 'A' } }],
    special_tokens: {},
  };
  const deep = (list: string) => {
    let step: object = { type: 'Sequence' };
    for (let i = 0; i < 2000; i++) step = { type: 'Sequence', [list]: [step] };
    return step;
  };
  test.each<[string, object, string]>([
    ['Unigram without an unknown token', unigram({ unk_id: null }), 'key "model.unk_id": expected the id of a token'],
    ['an unknown token past the vocabulary', unigram({ unk_id: 1 }), 'key "model.unk_id": expected the id of a token'],
    ['Unigram without scores', unigram({ vocab: [['a']] }), 'expected a token and its score'],
    ['Unigram with a vocabulary of BPE', unigram({ vocab: { a: 0 } }), 'key "model.vocab": expected a list'],
    [
      'a normalizer as a table',
      { ...unigram({}), normalizer: { type: 'Precompiled' } },
      'the normalizer "Precompiled"',
    ],
    ['another model', { model: { type: 'Lattice', vocab: {} } }, 'a tokenizer of the type "Lattice"'],
    ['a pre-tokenizer', { pre_tokenizer: { type: 'UnicodeScripts' } }, 'text with the pre-tokenizer "UnicodeScripts"'],
    ['an expression', { pre_tokenizer: { ...split, pattern: { Regex: '(?~a)' } } }, 'the expression "(?~a)"'],
    ['a split', { pre_tokenizer: { ...split, behavior: 'Kept' } }, 'expected one of Removed, Isolated'],
    ['a post-processor', { post_processor: { type: 'Pairs' } }, 'text with the post-processor "Pairs"'],
    ['a decoder', { decoder: { type: 'CTC' } }, 'text with the decoder "CTC"'],
    ['lstrip', { added_tokens: [{ ...token, lstrip: 'yes' }] }, 'expected true or false, found "yes"'],
    ['no model', { model: null }, 'expected an object, found null'],
    ['merges of three', { model: { ...tokenizer.model, merges: ['a b c'] } }, 'expected two tokens'],
    ['merges of unknown tokens', { model: { ...tokenizer.model, merges: ['a nonesuch'] } }, 'found "nonesuch"'],
    ['an id that is none', { model: { ...tokenizer.model, vocab: { a: -1 } } }, 'expected an id for "a", found -1'],
    ['an id far off', { added_tokens: [{ ...token, content: 'new', id: 4194303 }] }, 'found 4194303'],
    ['dropout', { model: { ...tokenizer.model, dropout: 0.1 } }, 'BPE with dropout'],
    ['a long added token', { added_tokens: [{ ...token, content: 'a'.repeat(5000) }] }, 'of 5000 characters'],
    ['deep nesting', { normalizer: deep('normalizers') }, 'expected at most 64 levels, found more'],
    ['wrong types', { normalizer: 7, pre_tokenizer: 'x' }, 'expected an object, found 7'],
    [
      'names of every object',
      { post_processor: { type: 'TemplateProcessing', ...named } },
      'expected the ids of "constructor"',
    ],
  ])('%s', (_, change, message) => {
    expect(read(change)).toThrow(CompileError);
    expect(read(change)).toThrow(message);
  });

  test('a folder without tokenizer.json', () => {
    expect(() => textSource(temporaryFolder)).toThrow('expected a tokenizer.json for text, found none');
  });
});
