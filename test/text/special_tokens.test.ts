import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { str, u32 } from '../support/gguf_writer.js';
import { bool, byteLevel, type Metadata, type Piece, sentencePiece } from './vocabularies.js';

const FIRST = 259;
const plain: Metadata = {
  'tokenizer.ggml.add_bos_token': bool(false),
  'tokenizer.ggml.add_space_prefix': bool(false),
};
const TYPED: Piece[] = [
  ['<|im_end|>', 0, 'control'],
  ['<think>', 0, 'user'],
  ['<th', 0, 'user'],
  ['<|im', 0, 'control'],
  ['\n\n\n', 0, 'user'],
  ['\n\n', 0, 'user'],
  ['▁'],
];

describe('special tokens in a text', () => {
  const tokenizer = new Tokenizer(sentencePiece(TYPED, plain));
  const idsOf = (text: string, parseSpecial?: boolean) =>
    tokenizer
      .encode(text, parseSpecial === undefined ? {} : { parseSpecial })
      .filter((id) => id < 3 || (id >= FIRST && id < FIRST + 6));

  it('are the longest from the left', () => {
    expect(idsOf('<think><thin<|im_end|><|im_<|')).toEqual([FIRST + 1, FIRST + 2, FIRST, FIRST + 3]);
    expect(idsOf('\n'.repeat(8))).toEqual([FIRST + 4, FIRST + 4, FIRST + 5]);
    expect(idsOf('<s></s><unk>')).toEqual([1, 2, 0]);
  });

  it('are text only, where control tokens are not asked for', () => {
    expect(idsOf('<|im_end|><think></s><unk>', false)).toEqual([FIRST + 1]);
    expect(tokenizer.decode(tokenizer.encode('<|im_end|></s>', { parseSpecial: false }))).toBe('<|im_end|></s>');
  });

  it('beyond the rows of the embedding are neither taken nor given, whatever the file says that they are', () => {
    const roles: Metadata = { 'tokenizer.ggml.bos_token_id': u32(FIRST), 'tokenizer.ggml.eos_token_id': u32(FIRST) };
    const file = (more: Metadata) => sentencePiece(TYPED, { ...plain, ...roles, ...more });
    const short = new Tokenizer(file({}), { rows: FIRST });
    expect([short.bosId, short.endIds, short.isEnd(FIRST)]).toEqual([undefined, [2], false]);
    expect(() => short.encode('<|im_end|>')).toThrow(`its id is ${FIRST}, and the model has ${FIRST}`);
    expect(() => new Tokenizer(file({ 'tokenizer.ggml.add_bos_token': bool(true) }), { rows: FIRST })).toThrow(
      `its id is ${FIRST}, and the model has ${FIRST}`,
    );
    const whole = new Tokenizer(file({}), { rows: FIRST + 1 });
    expect([whole.bosId, whole.isEnd(FIRST)]).toEqual([FIRST, true]);
  });

  const parts = fc.constantFrom(
    '<|im_end|>',
    '<|im',
    '<think>',
    '</s>',
    '<',
    '|',
    'im_end|>',
    '\ufdd0',
    'a',
    ' ',
    '👍',
  );
  const texts = fc.array(parts, { maxLength: 12 }).map((parts) => parts.join(''));
  it('never come out of shielded text, which stays what it is', () => {
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const ids = tokenizer.encodePrompt(`${tokenizer.shield(before)}<|im_end|>${tokenizer.shield(after)}`);
        expect(ids.filter((id) => tokenizer.isControl(id))).toEqual([FIRST]);
        const clean = (text: string) => text.replaceAll('\ufdd0', '\ufffd');
        expect(tokenizer.decode(ids)).toBe(`${clean(before)}<|im_end|>${clean(after)}`);
        for (const text of [before, after])
          expect(tokenizer.encodePrompt(tokenizer.shield(text))).toEqual(
            tokenizer.encode(clean(text), { parseSpecial: false }),
          );
      }),
    );
    expect(tokenizer.decode(tokenizer.encode('a\ufdd0b'))).toBe('a\ufdd0b');
  });

  it('take the white space after them in Phi-3', () => {
    const phi = (name: string) => new Tokenizer(sentencePiece(TYPED, { ...plain, 'general.name': str(name) }));
    const text = '<|im_end|> \n\ta<think> b</s> c<s> d';
    expect(phi('Phi-3 mini').decode(phi('Phi-3 mini').encode(text))).toBe('<|im_end|>a<think>b</s>c<s> d');
    expect(phi('Llama').decode(phi('Llama').encode(text))).toBe(text);
  });
});

describe('one begin token before a prompt', () => {
  it('whether the template wrote it or not', () => {
    const tokenizer = new Tokenizer(sentencePiece([['a'], ['▁a']]));
    for (const text of ['a', '<s>a']) expect(tokenizer.encodePrompt(text)).toEqual([1, FIRST + 1]);
    expect(tokenizer.encodePrompt('')).toEqual([1]);
    const without = new Tokenizer(sentencePiece([['a']], plain));
    expect([without.encodePrompt('a'), without.encodePrompt('<s>a'), without.encodePrompt('')]).toEqual([
      [FIRST],
      [1, FIRST],
      [],
    ]);
  });
});

describe('tokens that end a text', () => {
  const ends = (pieces: Piece[], override: Metadata = {}) =>
    new Tokenizer(sentencePiece(pieces, { ...plain, ...override })).endIds
      .map((id) => pieces[id - FIRST]?.[0] ?? id)
      .sort();

  it('are known by their text', () => {
    expect(ends([['<|eot_id|>', 0, 'control'], ['<|eom_id|>', 0, 'control'], ['x']])).toEqual([
      2,
      '<|eom_id|>',
      '<|eot_id|>',
    ]);
    expect(ends([['<end_of_turn>', 0, 'user']])).toEqual([2, '<end_of_turn>']);
    expect(
      ends([
        ['<|file_sep|>', 0, 'control'],
        ['<|fim_pad|>', 0, 'control'],
      ]),
    ).toEqual([2, '<|file_sep|>', '<|fim_pad|>']);
  });

  it('are known by their role', () => {
    expect(
      ends([['x'], ['y'], ['z']], {
        'tokenizer.ggml.eos_token_id': u32(FIRST),
        'tokenizer.ggml.eot_token_id': u32(FIRST + 2),
      }),
    ).toEqual([2, 'x', 'z']);
  });

  it('are control tokens, though the file calls them normal, unless people write them', () => {
    const tokenizer = new Tokenizer(sentencePiece([['<|im_end|>'], ['<eos>']], plain));
    expect([0, 1].map((i) => tokenizer.isControl(FIRST + i))).toEqual([true, false]);
    expect([0, 1].map((i) => tokenizer.isEnd(FIRST + i))).toEqual([true, false]);
  });

  it('do not close the messages of Harmony', () => {
    const names = ['<|end|>', '<|return|>', '<|call|>', '<|channel|>'];
    const pieces = names.map((name): Piece => [name, 0, 'control']);
    expect(ends(pieces)).toEqual([2, '<|call|>', '<|return|>']);
    expect(ends([pieces[0]!])).toEqual([2, '<|end|>']);
    const tokenizer = new Tokenizer(sentencePiece(pieces, plain));
    expect(tokenizer.decode([FIRST, FIRST + 1, FIRST + 3], { skipControl: true })).toBe('<|end|><|channel|>');
  });
});

describe('files without what newer ones have', () => {
  it('split words as llama.cpp does by default', () => {
    const file = byteLevel('', ['1234', '123', '!!']);
    const tokenizer = new Tokenizer(file);
    expect(tokenizer.encode('1234!!').map((id) => tokenizer.decode([id]))).toEqual(['123', '4', '!!']);
  });
});
