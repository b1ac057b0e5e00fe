/** Masks, against a try of each token; and texts that are written by them. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readGguf } from '../../runtime/files/gguf.js';
import { Automaton, DEAD } from '../../runtime/format/automaton.js';
import { type Format, formatRule } from '../../runtime/format/format.js';
import { Grammar, Matcher, type Tokens } from '../../runtime/format/grammar.js';
import { TokenTrie } from '../../runtime/format/token_trie.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { ROOT } from '../support/artifacts.js';
import { Random } from '../support/random.js';
import { automatonOf } from './support.js';

const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const FORMATS: readonly Format[] = [
  {
    schema: {
      type: 'object',
      properties: { a: { type: 'string', maxLength: 4 }, b: { type: 'integer' } },
      required: ['a'],
    },
  },
  { schema: {} },
  { regex: '[ab]{1,3}(?:-\\d+)?|\\p{L}+' },
  { grammar: 'root ::= ("x" | "(" root ")")' },
  { choice: ['yes', 'no', 'yesterday'] },
  { parts: [{ through: '](]' }, 'x', { choice: ['a', { regex: '1{2}' }] }] },
];

/** Of random pieces of JSON, bytes that are no characters among them, some of them twice. */
function randomVocabulary(random: Random): Uint8Array[] {
  const parts = ['{', '}', '"', ':', ',', ' ', 'a', 'b', '1', '[', ']', 'é', 'x', '(', ')', 'yes', '\n', '-'].map(
    bytes,
  );
  const tokens = Array.from({ length: 300 }, () =>
    Buffer.concat(Array.from({ length: 1 + random.integer(4) }, () => parts[random.integer(parts.length)]!)),
  );
  const single = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  return [new Uint8Array(), ...single, ...tokens.map((token) => new Uint8Array(token)), new Uint8Array()];
}

const has = (words: Uint32Array, token: number) => ((words[token >> 5]! >>> (token & 31)) & 1) === 1;

describe('a mask', () => {
  it.each(FORMATS)('has the tokens whose bytes may come: %j', (format) => {
    const random = new Random(5);
    const bytesOf = randomVocabulary(random);
    const trie = new TokenTrie(bytesOf);
    const automaton = automatonOf(formatRule(format));
    let state = Automaton.start;
    for (let i = 0; i < 60; i++) {
      const words = trie.mask(automaton, state);
      const after = bytesOf.map((token) =>
        token.reduce((at, byte) => (at === DEAD ? DEAD : automaton.step(at, byte)), state),
      );
      const allowed = [...bytesOf.keys()].filter((id) => bytesOf[id]!.length > 0 && after[id] !== DEAD);
      expect([...bytesOf.keys()].filter((id) => has(words, id))).toEqual(allowed);
      state = allowed.length === 0 ? Automaton.start : after[allowed[random.integer(allowed.length)]!]!;
    }
  });
});

const STORYTELLER = new Tokenizer(readGguf(join(ROOT, 'examples/storyteller-q8_0.gguf')));
function storytellerTokens(): Tokens {
  const ids = Array.from({ length: STORYTELLER.rows }, (_, id) => id);
  const of = (continues: boolean) =>
    ids.map((id) => (STORYTELLER.isControl(id) ? new Uint8Array() : STORYTELLER.bytes(id, { continues })));
  const [within, first] = [of(true), of(false)];
  return {
    ...{ bytesOf: within, trie: new TokenTrie(within), ends: STORYTELLER.endIds },
    first: { bytesOf: first, trie: new TokenTrie(first) },
  };
}

describe('a text by masks', () => {
  it.each(FORMATS)('ends where its format does, with no control token in it: %j', (format) => {
    const tokens = storytellerTokens();
    const random = new Random(9);
    for (let i = 0; i < 40; i++) {
      const matcher = new Matcher(new Grammar(formatRule(format), tokens), { continues: i % 2 === 0 });
      const written: number[] = [];
      for (;;) {
        const words = matcher.mask();
        const allowed = tokens.bytesOf.flatMap((_, id) => (has(words, id) ? [id] : []));
        const ends = allowed.filter((id) => tokens.ends.includes(id));
        expect(ends.length > 0).toBe(matcher.isFinal);
        const token = ends[0] !== undefined && written.length > 20 ? ends[0] : allowed[random.integer(allowed.length)]!;
        matcher.accept(token);
        if (tokens.ends.includes(token)) break;
        expect(STORYTELLER.isControl(token)).toBe(false);
        written.push(token);
        if (written.length > 400) break;
      }
      const text = STORYTELLER.decode(written, { continues: i % 2 === 0 });
      const bytes = Buffer.concat(written.map((id) => tokens.bytesOf[id]!));
      const isCut = written.length > 400; // maybe within a character
      new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
      if ('regex' in format && !isCut) expect(text).toMatch(new RegExp(`^(?:${format.regex})$`, 'u'));
      if ('choice' in format && !isCut) expect(format.choice).toContain(text);
      if ('parts' in format && !isCut) expect(text.slice(text.indexOf('](]'))).toMatch(/^\]\(\]x(a|11)$/);
    }
  });
});
