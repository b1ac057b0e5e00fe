import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelFileError } from '../../runtime/common/errors.js';
import { TextStream } from '../../runtime/text/text_stream.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { str, u32 } from '../support/gguf_writer.js';
import { encodeSlowly } from './spm.js';
import { bool, floats, type Metadata, type Piece, sentencePiece } from './vocabularies.js';

const FIRST = 259; // after <unk>, <s>, </s> and the bytes
const plain: Metadata = {
  'tokenizer.ggml.add_bos_token': bool(false),
  'tokenizer.ggml.add_space_prefix': bool(false),
};
const streamed = (tokenizer: Tokenizer, ids: readonly number[], options?: { continues?: boolean }) => {
  const stream = new TextStream(tokenizer, options);
  return [...ids.map((id) => stream.push(id)), stream.end()];
};

describe('merging by score', () => {
  const letters = fc.constantFrom('a', 'b', '▁');
  const token = fc.array(letters, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
  // Few scores, so that many are equal.
  const vocabulary = fc
    .uniqueArray(fc.tuple(token, fc.integer({ min: -4, max: 0 })), {
      selector: ([token]) => token,
      minLength: 5,
      maxLength: 40,
    })
    .map((pieces) => (pieces.some(([token]) => token === '▁') ? pieces : [...pieces, ['▁', -9] as [string, number]]));
  const texts = fc.array(
    fc.array(fc.constantFrom('a', 'b', ' ', ' ', 'é', '👍', '\n'), { maxLength: 30 }).map((parts) => parts.join('')),
    { minLength: 10, maxLength: 10 },
  );

  it('does what the slow way does', () => {
    fc.assert(
      fc.property(vocabulary, texts, (pieces, texts) => {
        const tokenizer = new Tokenizer(sentencePiece(pieces, plain));
        const scores = new Map(pieces);
        const byId = (id: number) =>
          id < FIRST ? `<0x${(id - 3).toString(16).toUpperCase().padStart(2, '0')}>` : pieces[id - FIRST]![0];
        for (const text of texts) {
          const ids = tokenizer.encode(text);
          expect(ids.map(byId)).toEqual(encodeSlowly(text, scores));
          expect(tokenizer.decode(ids)).toBe(text);
          expect(streamed(tokenizer, ids).join('')).toBe(text);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('takes a megabyte of spaces, letters or unknown characters', () => {
    const runs = [2, 4, 8, 16].map((n): Piece => ['▁'.repeat(n), -n]);
    const tokenizer = new Tokenizer(sentencePiece([['▁', -100], ['a', -100], ['aa', -1], ['▁a', -2], ...runs], plain));
    for (const unit of [' ', 'a', ' a', 'é']) {
      const text = unit.repeat((1 << 20) / unit.length);
      expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
    }
  }, 300_000);
});

describe('a space before the text', () => {
  const pieces: Piece[] = [['▁'], ['a'], ['▁a', -1], ['<u>', 0, 'user'], ['▁▁', -2]];
  const [SPACE, A, SPACE_A, USER, SPACES] = [0, 1, 2, 3, 4].map((i) => FIRST + i);

  it('is added where a text begins or follows a special token, and taken away again', () => {
    const tokenizer = new Tokenizer(sentencePiece(pieces));
    expect(tokenizer.encode('')).toEqual([1]);
    expect(tokenizer.encode('a')).toEqual([1, SPACE_A]);
    expect(tokenizer.encode(' a', { addSpecial: false })).toEqual([SPACE, SPACE_A]);
    expect(tokenizer.encode('  a', { addSpecial: false })).toEqual([SPACES, SPACE_A]);
    expect(tokenizer.encode('<u>aa</s>a')).toEqual([1, USER, SPACE_A, A, 2, SPACE_A]);
    for (const text of ['a', ' a', '   a', 'aa a', '']) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids, { skipControl: true })).toBe(text);
      expect(streamed(tokenizer, ids).join('')).toBe(text);
    }
  });

  it('is kept by what continues a text', () => {
    const tokenizer = new Tokenizer(sentencePiece(pieces));
    expect(tokenizer.decode([SPACE_A!, SPACE_A!])).toBe('a a');
    expect(tokenizer.decode([SPACE_A!, SPACE_A!], { continues: true })).toBe(' a a');
    expect(streamed(tokenizer, [2, SPACE_A!, SPACE_A!])).toEqual(['', 'a', ' a', '']);
    expect(streamed(tokenizer, [SPACE_A!, SPACE_A!], { continues: true })).toEqual([' a', ' a', '']);
  });

  it('is not added where the file says so', () => {
    const tokenizer = new Tokenizer(sentencePiece(pieces, plain));
    expect(tokenizer.encode('a a')).toEqual([A, SPACE_A]);
    expect(tokenizer.decode([SPACE_A!])).toBe(' a');
  });
});

describe('bytes', () => {
  const tokenizer = new Tokenizer(sentencePiece([['a']], plain));
  const byte = (value: number) => value + 3;

  it('spell what no token has, and appear as whole characters', () => {
    const ids = [byte(0xf0), byte(0x9f), byte(0x91), byte(0x8d)];
    expect(tokenizer.encode('👍a')).toEqual([...ids, FIRST]);
    expect(streamed(tokenizer, [...ids, FIRST])).toEqual(['', '', '', '👍', 'a', '']);
    expect(streamed(tokenizer, ids.slice(0, 3))).toEqual(['', '', '', '\ufffd']);
    expect(streamed(tokenizer, [ids[0]!, FIRST])).toEqual(['', '\ufffda', '']);
    expect(tokenizer.decode([ids[0]!, FIRST])).toBe('\ufffda');
  });

  it('stream as they decode, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 3, max: FIRST }), { maxLength: 20 }), (ids) => {
        expect(streamed(tokenizer, ids).join('')).toBe(tokenizer.decode(ids));
      }),
    );
  });

  it('are no tokens that a text can spell', () => {
    expect(tokenizer.decode(tokenizer.encode('<0x41>'))).toBe('<0x41>');
    expect(tokenizer.encode('<0x41>')).toHaveLength(6);
  });
});

describe('what a file says', () => {
  it('names its unknown token', () => {
    const file = sentencePiece([['a'], ['?', 0, 'unknown']], {
      ...plain,
      'tokenizer.ggml.unknown_token_id': u32(FIRST + 1),
      'tokenizer.ggml.token_type': { type: 'array', of: 'int32', value: [2, 3, 3, ...Array(256).fill(1), 1, 2] },
    });
    expect(new Tokenizer(file).encode('a👍a')).toEqual([FIRST, FIRST + 1, FIRST]);
  });

  it('is refused where it is damaged', () => {
    const open = (override: Metadata) => () => new Tokenizer(sentencePiece([['a']], override));
    expect(open({ 'tokenizer.ggml.scores': floats([1]) })).toThrow(ModelFileError);
    expect(open({ 'tokenizer.ggml.scores': floats([1]) })).toThrow(/scores.*expected 260 elements.*found 1/);
    expect(open({ 'tokenizer.ggml.scores': floats(Array(260).fill(Number.NaN)) })).toThrow(/element 0 is NaN/);
    expect(open({ 'tokenizer.ggml.scores': str('1') })).toThrow(ModelFileError);
  });
});
