/** Each step of a tokenizer.json, against what Hugging Face's library makes of it (make_pipelines.mjs of the fixtures). */
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { textSource } from '../../runtime/text/open.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { writeFolder } from '../support/safetensors_writer.js';
import { temporaryFolder } from '../support/tiny_models.js';

interface Case {
  readonly name: string;
  readonly change: object;
  readonly encodings: readonly (readonly [text: string, ids: readonly number[], decoded: string])[];
}

const fixture = new URL('../fixtures/tokenizer_steps/pipelines.json', import.meta.url);
const { base, all }: { base: object; all: Case[] } = JSON.parse(readFileSync(fixture, 'utf8'));
const folder = mkdtempSync(join(temporaryFolder, 'pipelines-'));
const tokenizerOf = (change: object) => {
  writeFolder(folder, { 'tokenizer.json': { ...base, ...change } });
  return new Tokenizer(textSource(folder));
};

test.each(all)('$name', ({ change, encodings }) => {
  const tokenizer = tokenizerOf(change);
  for (const [text, ids, decoded] of encodings) {
    expect(tokenizer.encode(text, { addSpecial: false }), text).toEqual(ids);
    expect(tokenizer.decode(ids), text).toBe(decoded);
  }
});

describe('untrusted text', () => {
  const added = (more: object) => ({ id: 30, content: '<|end|>', special: true, ...more });
  const lower = { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] } };
  test.each<[string, object]>([
    ['as it is', { added_tokens: [added({})] }],
    ['and its spaces', { added_tokens: [added({ lstrip: true, rstrip: true })] }],
    ['normalized', { added_tokens: [added({ normalized: true })], ...lower }],
  ])('spells no control token: %s', (_, change) => {
    const tokenizer = tokenizerOf(change);
    for (const text of ['<|end|>', ' <|END|> ', '＜|end|＞', '<|en<|end|>d|>'])
      expect(tokenizer.encodePrompt(tokenizer.shield(text))).not.toContain(30);
    expect(tokenizer.encodePrompt(`${tokenizer.shield('<|end|>')}<|end|>`).filter((id) => id === 30)).toHaveLength(1);
  });
});

test('an expression that takes too long is named', () => {
  const model = { type: 'WordLevel', vocab: { u: 0 }, unk_token: 'u' };
  const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
  const tokenizer = tokenizerOf({ model, pre_tokenizer: split('(?:(a*)*)*\\1$') });
  expect(() => tokenizer.encode(`${'a'.repeat(60)}!`)).toThrow('it takes more than');
});
