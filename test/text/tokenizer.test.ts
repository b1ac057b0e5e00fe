import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelFileError, UnsupportedError } from '../../runtime/common/errors.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { TextStream } from '../../runtime/text/text_stream.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import type { MetadataValue } from '../support/gguf_writer.js';
import { encodeWords } from './bpe.js';
import { byteLevel, type Metadata, strings } from './vocabularies.js';

const file = readGguf(fileURLToPath(new URL('../../examples/storyteller-q8_0.gguf', import.meta.url)));
const storyteller = new Tokenizer(file);
const tokens = file.metadata.stringArray('tokenizer.ggml.tokens')!;
const merges = new Map(file.metadata.stringArray('tokenizer.ggml.merges')!.map((merge, rank) => [merge, rank]));
const [END_OF_TEXT, IM_START, IM_END] = [0, 1, 2];

const words = (tokenizer: Tokenizer, text: string) => tokenizer.encode(text).map((id) => tokenizer.decode([id]));

describe('encoding with the storyteller vocabulary', () => {
  it('finds whole words', () => {
    expect(words(storyteller, 'Once upon a time')).toEqual(['Once', ' upon', ' a', ' time']);
  });

  it('knows control tokens by their text', () => {
    const ids = storyteller.encode('<|im_start|>user\nHi<|im_end|><|endoftext|>');
    expect([ids[0], ...ids.slice(-2)]).toEqual([IM_START, IM_END, END_OF_TEXT]);
    expect(storyteller.decode(ids)).toBe('<|im_start|>user\nHi<|im_end|><|endoftext|>');
    expect(storyteller.decode(ids, { skipControl: true })).toBe('user\nHi');
    expect([END_OF_TEXT, IM_START, IM_END].map((id) => storyteller.isEnd(id))).toEqual([true, false, true]);
  });

  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc
      .array(fc.constantFrom(' ', '\n', "'s", "'LL", ' the', ' fox', '12', '\u00a0', 'é', '…', '👩‍🚀', '<|'), {
        maxLength: 30,
      })
      .map((a) => a.join('')),
  );
  it('encodes as GPT-2 does', () => {
    fc.assert(
      fc.property(text, (text) => {
        expect(storyteller.encode(text).map((id) => tokens[id])).toEqual(encodeWords(text, merges));
      }),
      { numRuns: 500 },
    );
  });

  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(text, (text) => {
        expect(storyteller.decode(storyteller.encode(text))).toBe(text);
      }),
    );
    expect(storyteller.decode(storyteller.encode('a\ud800b'))).toBe('a\ufffdb');
    expect(storyteller.encode('')).toEqual([]);
    expect(storyteller.decode([])).toBe('');
  });

  it('refuses ids outside the vocabulary', () => {
    for (const id of [-1, tokens.length, 0.5, Number.NaN])
      expect(() => storyteller.decode([4, id])).toThrow(`token ${id} is not among the ${tokens.length}`);
  });
});

describe('a stream of tokens', () => {
  const pieces = (ids: readonly number[]) => {
    const stream = new TextStream(storyteller);
    return ids.map((id) => stream.push(id));
  };

  it('shows a character once its last byte is there', () => {
    expect(pieces(storyteller.encode('a👍b'))).toEqual(['a', '', '', '', '👍', 'b']);
    expect(pieces([...storyteller.encode('fox'), IM_END, ...storyteller.encode('!')]).join('')).toBe('fox!');
  });

  it('shows all of the text, whole characters only, but for what is unfinished at its end', () => {
    const ids = fc.array(fc.integer({ min: 3, max: tokens.length - 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(ids, (ids) => {
        const [shown, whole] = [pieces(ids).join(''), storyteller.decode(ids)];
        expect([shown, `${shown}\ufffd`]).toContain(whole);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = pieces(storyteller.encode(text));
        expect(shown.join('')).toBe(text);
        expect(shown.filter((piece) => /\p{Surrogate}/u.test(piece))).toEqual([]);
      }),
    );
  });
});

describe('splitting into words, as published', () => {
  // Hugging Face's course, chapter 6: "Normalization and pre-tokenization", for GPT-2.
  it('gpt-2', () => {
    const expected = ['Hello', ',', ' how', ' are', ' ', ' you', '?'];
    const joined = byteLevel('gpt-2', [...expected, 'Hello,', ', how', '  you', 'you?']);
    expect(words(new Tokenizer(joined), 'Hello, how are  you?')).toEqual(expected);
    const contraction = byteLevel('gpt-2', ["'s", ' test', ' pre', "Let's", 'Let', '-tok', 'tokenization', 'n!']);
    const split = ['Let', "'s", ' test', ' pre', '-', 'tokenization', '!'];
    expect(words(new Tokenizer(contraction), "Let's test pre-tokenization!")).toEqual(split);
  });

  it('llama-bpe takes digits by threes, qwen2 one by one, gpt-2 all', () => {
    const split = (pre: string) => {
      const file = byteLevel(pre, ['1234567', '4567', '456', '567'], {
        'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
      });
      return words(new Tokenizer(file), '1234567');
    };
    expect(split('llama-bpe')).toEqual(['123', '456', '7']);
    expect(split('qwen2')).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    expect(split('gpt-2')).toEqual(['1234567']);
  });

  it('llama-bpe and qwen2 know contractions in capitals and keep line ends with what is before them', () => {
    const extra = ["'LL", '!\n', '.HE', "HE'", 'HE'];
    const noBos: Metadata = { 'tokenizer.ggml.add_bos_token': { type: 'bool', value: false } };
    for (const pre of ['llama-bpe', 'qwen2'])
      expect(words(new Tokenizer(byteLevel(pre, extra, noBos)), "HE'LL!\n")).toEqual(['HE', "'LL", '!\n']);
    expect(words(new Tokenizer(byteLevel('gpt-2', extra)), "HE'LL!\n")).toEqual(['HE', "'", 'L', 'L', '!', '\n']);
  });
});

describe('what a file says about its vocabulary', () => {
  it('puts begin and end tokens around a text', () => {
    const ids: Metadata = {
      'tokenizer.ggml.bos_token_id': { type: 'uint32', value: 7 },
      'tokenizer.ggml.eos_token_id': { type: 'uint32', value: 9 },
    };
    const flag = (role: string, value: boolean): Metadata => ({
      [`tokenizer.ggml.add_${role}_token`]: { type: 'bool', value },
    });
    const encode = (pre: string, flags: Metadata) =>
      new Tokenizer(byteLevel(pre, [], { ...ids, ...flags })).encode('!');
    expect(encode('gpt-2', {})).toEqual([0]);
    expect(encode('llama-bpe', {})).toEqual([7, 0]);
    expect(encode('llama-bpe', flag('bos', false))).toEqual([0]);
    expect(encode('qwen2', { ...flag('bos', true), ...flag('eos', true) })).toEqual([7, 0, 9]);
    expect(() => new Tokenizer(byteLevel('llama-bpe'))).toThrow(/tokenizer\.ggml\.bos_token_id/);
  });

  it('ends texts with the tokens that it names', () => {
    const id = (value: number): MetadataValue => ({ type: 'uint32', value });
    const ids: Metadata = {
      'tokenizer.ggml.eos_token_id': id(5),
      'tokenizer.ggml.eot_token_id': id(6),
      'tokenizer.ggml.eom_token_id': id(7),
    };
    const tokenizer = new Tokenizer(byteLevel('gpt-2', [], ids));
    expect([4, 5, 6, 7, 8, -1].filter((token) => tokenizer.isEnd(token))).toEqual([5, 6, 7]);
  });

  it('has user-defined tokens, which are text', () => {
    const size = 258;
    const types = Array.from({ length: size }, (_, id) => (id === 256 ? 3 : id === 257 ? 4 : 1));
    const override: Metadata = { 'tokenizer.ggml.token_type': { type: 'array', of: 'int32', value: types } };
    const tokenizer = new Tokenizer(byteLevel('gpt-2', [], override));
    expect(tokenizer.encode('<s>a b!')).toEqual([256, 257, 0]);
    expect(tokenizer.decode([256, 257, 0], { skipControl: true })).toBe('a b!');
  });

  it('may name a token "__proto__"', () => {
    const tokenizer = new Tokenizer(byteLevel('gpt-2', ['__proto__', 'constructor']));
    expect(tokenizer.decode([256 + '__proto__'.length - 2])).toBe('__proto__');
    expect(words(tokenizer, 'constructor')).toEqual(['constructor']);
  });

  it('is refused by name when it is of another kind', () => {
    const other = byteLevel('gpt-2', [], { 'tokenizer.ggml.model': { type: 'string', value: 'rwkv' } });
    expect(() => new Tokenizer(other)).toThrow(UnsupportedError);
    expect(() => new Tokenizer(other)).toThrow(/tokenizer "rwkv" is not supported: RWKV/);
    expect(() => new Tokenizer(byteLevel('no-such'))).toThrow(/pre-tokenizer "no-such" is not supported/);
  });

  const noToken: [string, MetadataValue][] = [
    ['bos', { type: 'uint32', value: 0xffffffff }],
    ['eos', { type: 'uint32', value: 258 }],
    ['eos', { type: 'int32', value: -1 }],
    ['unknown', { type: 'uint32', value: 0xffffffff }],
    ['eot', { type: 'int64', value: -1n }],
    ['eom', { type: 'uint64', value: 1n << 40n }],
    ['fim_pad', { type: 'uint32', value: 0xffffffff }],
  ];
  // By its place: the runner cannot write a bigint into a title.
  it.each([...noToken.keys()])('goes on without a token whose id no token has: %i', (index) => {
    const [role, value] = noToken[index]!;
    const key = `tokenizer.ggml.${role}_token_id`;
    const tokenizer = new Tokenizer(byteLevel('gpt-2', [], { [key]: value }));
    expect(tokenizer.warnings).toEqual([expect.stringContaining(key)]);
    expect(tokenizer.warnings[0]).toContain('expected an id below 258');
    expect(tokenizer.endIds.every((id) => id < 258)).toBe(true);
    expect(tokenizer.encode('a', { addSpecial: false })).toHaveLength(1);
  });

  const damaged: [string, MetadataValue][] = [
    ['tokenizer.ggml.tokens', { type: 'uint32', value: 1 }],
    ['tokenizer.ggml.merges', strings(['ab'])],
    ['tokenizer.ggml.merges', { type: 'array', of: 'int32', value: [1] }],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: [1, 3] }],
    ['tokenizer.ggml.eos_token_id', { type: 'string', value: '2' }],
    ['tokenizer.ggml.add_bos_token', { type: 'uint8', value: 1 }],
  ];
  it.each(damaged)('names the key that is damaged: %s (%#)', (key, value) => {
    const file = byteLevel('gpt-2', [], { [key]: value });
    expect(() => new Tokenizer(file)).toThrow(ModelFileError);
    expect(() => new Tokenizer(file)).toThrow(key);
  });
});
