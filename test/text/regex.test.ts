/** Regular expressions as the tokenizers library has them: what it finds (make_expressions.mjs of the fixtures), and how long that takes. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitText } from '../../runtime/text/json/pattern.js';
import { Expression, RegexError } from '../../runtime/text/regex/index.js';
import { processorMs } from '../support/time.js';

const fixture = new URL('../fixtures/tokenizer_steps/expressions.json', import.meta.url);
const { texts, all }: { texts: string[]; all: [string, string[][]][] } = JSON.parse(readFileSync(fixture, 'utf8'));

const pieces = (expression: Expression, text: string) =>
  splitText(text, (whole) => expression.matches(whole), 'Isolated').map(([piece]) => piece);

test.each(all)('%s', (source, found) => {
  const expression = new Expression(source);
  for (const [i, text] of texts.entries()) expect(pieces(expression, text)).toEqual(found[i]);
});

describe('linear time', () => {
  // Each of these is exponential or quadratic where every way is tried.
  test.each([
    ['(a+)+$', 'a', '!'],
    ['(?:a|a)+$', 'a', '!'],
    ['(?:a|b|ab)+c', 'ab', '!'],
    ['(?:\\w+\\s?)+$', 'a', '!'],
    ['\\s+$', ' ', 'x'],
    ['(?:a++)+b', 'a', '!'],
    ['(?>a+)b|(?>a+)c', 'a', '!'],
    ['\\d{1,3}(?=(?:\\d{3})*\\b)', '1', ' '],
    ['(?=(\\d{3})+(?!\\d))', '1', ' '],
    ['[a]*+b', 'a', '!'],
    ['.*.*.*x', 'a', '\n'],
  ])('%s', (source, unit, end) => {
    const expression = new Expression(source);
    const text = unit.repeat(30_000) + end;
    expect(processorMs(() => pieces(expression, text))).toBeLessThan(5000); // what is quadratic takes minutes
  });

  test('what cannot be had in it is stopped', () => {
    expect(() => new Expression('(a*)*\\1$').matches(`${'a'.repeat(40)}!`)).toThrow(RegexError);
    expect(() => new Expression('(?:a*)*$').matches(`${'a'.repeat(40)}!`)).toThrow('it takes more than');
  });
});

describe('refused by name', () => {
  test.each([
    ['(?~abc)', 'the absent operator'],
    ['\\X', '\\X'],
    ['\\y', '\\y and \\Y'],
    ['(?<n>a\\g<n>?b)', 'which contains itself'],
    ['(?i)[\\p{L}]', 'where case is ignored'],
    ['\\p{Nonesuch}', 'Nonesuch'],
    ['\\p{InBasicLatin}', 'the property'],
    ['(', 'group'],
    ['(?=a\\Kb)', '\\K in a look-around'],
    ['(?<=a+(b))c', ''],
    ['a{1,99999}', 'repetitions'],
    ['('.repeat(5000) + ')'.repeat(5000), 'nested'],
    ['a'.repeat(100_000), 'characters'],
  ])('%s', (source, message) => {
    let error: unknown;
    try {
      new Expression(source).matches('abc');
    } catch (thrown) {
      error = thrown;
    }
    if (error === undefined) return expect(message).toBe('');
    expect(error).toBeInstanceOf(RegexError);
    expect((error as Error).message).toContain(message);
  });
});

test('any text for an expression leads to matches or to a RegexError', () => {
  const part = fc.constantFrom(...'ab.\\wd(?:)[^]|*+{1,2}=!<>&-ik'.split(''), '(?', '[[:alpha:]]', '\\p{L}', '(?<=');
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.toWellFormed()),
      (source, text) => {
        let expression: Expression;
        try {
          expression = new Expression(source);
        } catch (error) {
          expect(error).toBeInstanceOf(RegexError);
          return;
        }
        expect(pieces(expression, text).join('')).toBe(text);
      },
    ),
    { numRuns: 500 },
  );
});
