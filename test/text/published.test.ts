import { readFileSync } from 'node:fs';
import * as huggingface from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRE_TOKENIZERS, splitWords } from '../../runtime/text/pre_tokenizers.js';
import { TextStream } from '../../runtime/text/text_stream.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { str } from '../support/gguf_writer.js';
import { processorMs } from '../support/time.js';
import { bool, floats, ints, openVocabulary, strings } from './vocabularies.js';

interface Published {
  model: 'gpt2' | 'llama';
  pre?: string;
  tokens: Record<string, number>;
  merges?: string[];
  scores?: Record<string, number>;
  cases: [text: string, ids: number[]][];
}

function open({ model, pre, tokens, merges, scores }: Published): Tokenizer {
  const all: string[] = [];
  for (const [token, id] of Object.entries(tokens)) all[id] = token;
  const texts = Array.from(all, (token, id) => token ?? `[unused ${id}]`);
  const type = (token: string) => {
    if (model === 'gpt2') return 1;
    return token === '<unk>' ? 2 : token === '<s>' || token === '</s>' ? 3 : /^<0x..>$/.test(token) ? 6 : 1;
  };
  return new Tokenizer(
    openVocabulary({
      'tokenizer.ggml.model': str(model),
      'tokenizer.ggml.tokens': strings(texts),
      'tokenizer.ggml.token_type': ints(texts.map(type)),
      'tokenizer.ggml.add_bos_token': bool(false),
      ...(pre && { 'tokenizer.ggml.pre': str(pre) }),
      ...(merges && { 'tokenizer.ggml.merges': strings(merges) }),
      ...(scores && { 'tokenizer.ggml.scores': floats(texts.map((token) => scores[token] ?? -1e6)) }),
    }),
  );
}

describe.each(['gpt-2', 'llama-bpe', 'qwen2', 'phi-3'])('the published encodings of %s', (name) => {
  const path = new URL(`../fixtures/vocabularies/${name}.json`, import.meta.url);
  const published: Published = JSON.parse(readFileSync(path, 'utf8'));
  const tokenizer = open(published);

  it.each(published.cases)('%j', (text, ids) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
    const stream = new TextStream(tokenizer);
    expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(text);
  });
});

/** Exported, but not declared. */
const { SplitPreTokenizer } = huggingface as unknown as {
  SplitPreTokenizer: new (definition: object) => { pre_tokenize(words: string[]): string[] };
};

/** As the publishers' tokenizer.json files have them; another implementation, Hugging Face's, runs them. */
const ENDING = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const CASED = (ending: string) =>
  String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+${ending}|` +
  String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*${ending}`;
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const PATTERNS: Record<string, string[]> = {
  'gpt-2': [GPT2],
  'llama-bpe': [String.raw`${ENDING}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|${SPACES}`],
  qwen2: [String.raw`${ENDING}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|${SPACES}`],
  qwen35: [String.raw`${ENDING}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${SPACES}`],
  'gpt-4o': [String.raw`${CASED(`${ENDING}?`)}|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`],
  tekken: [String.raw`${CASED('')}|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`],
  smollm: [String.raw`\p{N}`, GPT2],
  'deepseek-v3': [
    String.raw`\p{N}{1,3}`,
    '[一-龥぀-ゟ゠-ヿ]+',
    String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|` +
      String.raw` ?[\p{P}\p{S}]+[\r\n]*|${SPACES}`,
  ],
  bailingmoe: [
    String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
  ],
  'seed-coder': [String.raw`${ENDING}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|${SPACES}`],
  'exaone-moe': [
    String.raw`${ENDING}|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|` +
      String.raw`\s+(?!\S)|\s+`,
  ],
  tiny_aya: [
    String.raw`\d{1,3}(?=(?:\d{3})*\b)`,
    String.raw`${CASED(`${ENDING}?`)}|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`,
  ],
  superbpe: [String.raw`\p{N}+`, String.raw`(?=(\d{3})+(?!\d))`],
  bloom: [String.raw` ?[^(\s|[.,!?…。，、।۔،])]+`],
};

describe('words are split as the published patterns split them', () => {
  const pieces = fc.constantFrom(
    ...[
      ' ',
      '  ',
      '\n',
      '\r\n',
      '\t',
      '\u00a0',
      '\u0085',
      '\ufeff',
      'the',
      'The',
      'HE',
      "I'll",
      "'S",
      "'ſ".slice(0, 1),
    ],
    ...['1', '234', '½', '²', 'Ⅷ', '٣', 'é', 'é', 'ß', 'Ж', 'кот', 'ไทย', 'កា', '中文', 'カ', '한국', '🦙', '👩‍🚀'],
    ...[
      '.',
      '...',
      '!?',
      '<',
      '|>',
      '_',
      '"',
      '(',
      ')',
      '/',
      '\\',
      '`',
      '\u200d',
      '\u0301',
      'ᾳ',
      'ǅ',
      'ʰ',
      '𝐀',
      '\u0378',
    ],
  );
  const text = fc.oneof(
    fc.array(pieces, { maxLength: 25 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.toWellFormed()),
  );

  it.each(Object.entries(PATTERNS))('%s', (pre, patterns) => {
    const theirs = patterns.map(
      (Regex) => new SplitPreTokenizer({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }),
    );
    fc.assert(
      fc.property(text, (text) => {
        const expected = theirs.reduce(
          (words, splitter) => words.flatMap((word) => splitter.pre_tokenize([word])),
          [text],
        );
        expect(splitWords(text, PRE_TOKENIZERS.get(pre)!.splitters)).toEqual(expected.filter((word) => word !== ''));
      }),
      { numRuns: 300 },
    );
  });

  const rows = [...new Map([...PRE_TOKENIZERS].map(([name, row]) => [row, name])).entries()];
  it.each(rows.map(([row, name]) => [name, row] as const))(
    '%s keeps every character, in linear time',
    (_name, { splitters }) => {
      fc.assert(
        fc.property(text, (text) => {
          expect(splitWords(text, splitters).join('')).toBe(text);
        }),
      );
      for (const unit of [' ', ' \n', '\n', '7', 'a', 'A', '中', '!', "'", '\u0301', ' a'])
        for (const end of ['', 'x', '!', ' ']) {
          const long = unit.repeat(30_000) + end;
          const work = () => expect(splitWords(long, splitters).join('')).toBe(long);
          expect(processorMs(work)).toBeLessThan(2000); // what is quadratic takes minutes
        }
    },
  );
});
