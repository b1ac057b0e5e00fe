/** Tokens to text: characters stay whole, stop strings are cut out exactly, whatever the tokens' borders are. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGguf } from '../../runtime/files/gguf.js';
import { PieceStream } from '../../runtime/llm/pieces.js';
import { findStop, possibleStop } from '../../runtime/llm/stop_strings.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { ROOT } from '../support/artifacts.js';

const tokenizer = new Tokenizer(readGguf(join(ROOT, 'examples/storyteller-q8_0.gguf')));
const STORY = 'Once there was a quiet robot named Finn. He said: "naïve 🙂🙂 café — ok?"\n\nThe end.\n';
const TOKENS = tokenizer.encode(STORY, { addSpecial: false });

/** Pieces as they come, and the stop string that came. */
function split(tokens: readonly number[], stops: readonly string[]) {
  const stream = new PieceStream(tokenizer, stops, { continues: true });
  const pieces: { text: string; token: number; step: number }[] = [];
  let step = 0;
  for (const token of tokens) {
    step++;
    for (const piece of stream.push({ token })) pieces.push({ ...piece, step });
    if (stream.stopString !== undefined) break;
  }
  for (const piece of stream.end()) pieces.push({ ...piece, step });
  return { pieces, text: pieces.map(({ text }) => text).join(''), stop: stream.stopString };
}

describe('pieces', () => {
  it('are one a token, at once, and together the text', () => {
    const { pieces, text } = split(TOKENS, []);
    expect(text).toBe(STORY);
    expect(pieces.map(({ token }) => token)).toEqual(TOKENS);
    const late = pieces.filter(({ step }, i) => step !== i + 1);
    // Only the bytes of a character wait for its last one.
    for (const { text } of late) expect(text).toBe('');
    expect(late.length).toBeGreaterThan(0);
  });

  it('never hold a part of a character', () => {
    for (const { text } of split(TOKENS, []).pieces) expect(text).not.toMatch(/\ufffd/);
    const cut = TOKENS.findIndex((token) => tokenizer.bytes(token, { continues: true })[0]! >= 0xf0) + 1;
    const { pieces, text } = split(TOKENS.slice(0, cut), []);
    expect(pieces).toHaveLength(cut);
    expect(text).toMatch(/^[^\ufffd]+\ufffd$/);
  });
});

describe('a stop string', () => {
  it('ends the text before its first occurrence, and no part of it is handed over', () => {
    const ends = fc.tuple(fc.nat(STORY.length - 1), fc.integer({ min: 1, max: 25 }));
    fc.assert(
      fc.property(ends, fc.array(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 3 }), ([at, length], more) => {
        const stop = STORY.slice(at, at + length);
        fc.pre(stop.isWellFormed());
        const stops = [stop, ...more.filter((other) => !STORY.includes(other))];
        const result = split(TOKENS, stops);
        expect(result.text).toBe(STORY.slice(0, STORY.indexOf(stop)));
        expect(result.stop).toBe(stop);
      }),
      { numRuns: 500 },
    );
  });

  it('that does not come holds nothing back in the end', () => {
    expect(split(TOKENS, ['The end.\n\n', 'Once upon']).text).toBe(STORY);
    expect(split(TOKENS, ['The end.\n\n']).pieces.map(({ token }) => token)).toEqual(TOKENS);
  });

  it('is held back as long as it may come, and no longer', () => {
    const { pieces } = split(TOKENS, ['robot with']);
    const robot = pieces.findIndex(({ text }) => text.includes('robot'));
    expect(pieces[robot]!.step).toBe(robot + 2);
    expect(pieces[robot + 1]!.step).toBe(robot + 2);
    expect(pieces[robot + 2]!.step).toBe(robot + 3);
  });

  it('of several the one that is complete first counts, then the longest', () => {
    expect(findStop('a stop here', ['here', 'stop', 'a s'])).toEqual({ stop: 'a s', start: 0, end: 3 });
    expect(findStop('abcd', ['bcd', 'c'])).toMatchObject({ stop: 'c', start: 2 });
    expect(findStop('abcd', ['cd', 'bcd', 'd'])).toMatchObject({ stop: 'bcd', start: 1 });
    expect(findStop('abcd', ['e'])).toBeUndefined();
  });

  it('may begin at the end', () => {
    expect(possibleStop('a b', ['bc', ' bd', 'x'])).toBe(2);
    expect(possibleStop('abab', ['ababa'])).toBe(4);
    expect(possibleStop('abc', ['abc', 'd'])).toBe(0);
  });
});
