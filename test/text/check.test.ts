/** What running would say about text, said of the file. */
import { copyFileSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { inspect } from '../../compiler/inspect.js';
import { checkText, textLines } from '../../runtime/text/check.js';
import { textSource } from '../../runtime/text/open.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { type MetadataValue, str, u32 } from '../support/gguf_writer.js';
import { writeFolder } from '../support/safetensors_writer.js';
import { TINY, temporaryFolder, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';
import { strings } from './vocabularies.js';

const tokens = Array.from({ length: TINY.vocab }, (_, id) => String.fromCharCode(0x41 + id));
const VOCABULARY = {
  'tokenizer.ggml.model': str('gpt2'),
  'tokenizer.ggml.pre': str('gpt-2'),
  'tokenizer.ggml.tokens': strings(tokens),
  'tokenizer.ggml.merges': strings([]),
};
const modelWith = (changes: Readonly<Record<string, MetadataValue | undefined>>) =>
  writeModel(withKeys(tinyModel(), { ...VOCABULARY, ...changes }));

test('a file with all that text needs', () => {
  const path = modelWith({ 'tokenizer.chat_template': str('{{ messages }}') });
  expect(checkText(path)).toEqual({ refusal: null, chat: true, warnings: [] });
  expect(inspect(path)[1]).toContain('can be compiled\n');
});

test.each<[string, Record<string, MetadataValue | undefined>, string]>([
  ['a way of splitting words', { 'tokenizer.ggml.pre': str('brand-new') }, 'its way of splitting words is missing'],
  ['a kind of vocabulary', { 'tokenizer.ggml.model': str('rwkv') }, 'tokenizer "rwkv" is not supported'],
  ['merges', { 'tokenizer.ggml.merges': undefined }, 'tokenizer.ggml.merges'],
  ['a vocabulary', { 'tokenizer.ggml.model': undefined }, 'tokenizer.ggml.model'],
  ['a chat template that is none', { 'tokenizer.chat_template': u32(7) }, 'tokenizer.chat_template'],
])('what is missing is said: %s', (_, changes, message) => {
  const path = modelWith(changes);
  const report = checkText(path);
  expect(report).toMatchObject({ refusal: expect.stringContaining(message), chat: false });
  const [line] = textLines(report, path);
  expect(line).toMatch(/^text does not work, token ids do: /);
  expect(inspect(path)[1]).toContain(`can be compiled; ${line}\n`);
  expect(inspect(path)[0]).toMatchObject({ refusal: null, text: { refusal: expect.stringContaining(message) } });
});

test('an id that no token has is a warning', () => {
  const path = modelWith({ 'tokenizer.ggml.eos_token_id': u32(0xffffffff) });
  const report = checkText(path);
  expect(report.refusal).toBe(null);
  expect(textLines(report, path)).toEqual([
    expect.stringMatching(/^warning: tokenizer.ggml.eos_token_id is 4294967295/),
  ]);
});

test('a tokenizer with more tokens than the embedding has rows', () => {
  const folder = mkdtempSync(join(temporaryFolder, 'larger-'));
  const llama = fileURLToPath(new URL('../fixtures/transformers/llama', import.meta.url));
  for (const name of ['config.json', 'model.safetensors']) copyFileSync(join(llama, name), join(folder, name));
  const vocab = Object.fromEntries(Array.from({ length: 128 }, (_, id) => [String.fromCharCode(0x41 + id), id]));
  writeFolder(folder, {
    'tokenizer.json': {
      ...{ version: '1.0', normalizer: null, pre_tokenizer: null, post_processor: null, decoder: { type: 'Fuse' } },
      added_tokens: [{ id: 128, content: '[PAD]', special: true }],
      model: { type: 'BPE', vocab, merges: [], unk_token: null },
    },
    'tokenizer_config.json': { eos_token: '[PAD]' },
  });
  expect(checkText(folder)).toMatchObject({ refusal: null, warnings: [expect.stringContaining('128 rows')] });
  const tokenizer = new Tokenizer(textSource(folder), { rows: 128 });
  expect(tokenizer.endIds).toEqual([2]); // config.json's
  expect(tokenizer.isEnd(128)).toBe(false);
  expect(tokenizer.encode('AB')).toEqual([0, 1]);
  expect(tokenizer.decode([0, 1])).toBe('AB');
  expect(() => tokenizer.encode('A[PAD]')).toThrow('the token "[PAD]" is not supported: its id is 128');
  expect(new Tokenizer(textSource(folder), { rows: 200 }).decode([0, 199])).toBe('A');
});
