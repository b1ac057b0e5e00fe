/** Regular expressions, against those of JavaScript, and what is refused. */
import { expect, it } from 'vitest';
import { Rule } from '../../runtime/format/expression.js';
import { regex } from '../../runtime/format/regex.js';
import { Random } from '../support/random.js';
import { accepts, automatonOf, randomText } from './support.js';

const automaton = (source: string, whole = true) => automatonOf(new Rule('regex', regex(source, { whole })));

/** All texts of at most so many of these characters. */
function texts(alphabet: readonly string[], most: number): string[] {
  const all = [''];
  for (let from = 0, length = 0; length < most; length++) {
    const before = all.slice(from);
    from = all.length;
    for (const text of before) for (const char of alphabet) all.push(text + char);
  }
  return all;
}
const ALPHABET = ['a', 'b', 'Z', '0', '_', ' ', '\n', '-', 'é', '\u{1f600}'];
const SHORT = texts(ALPHABET, 3);

const SOURCES = [
  ...['a', '', 'a|b|', 'a*', '(?:ab)+', '(a|b)?Z', 'a{2}', 'a{1,2}b', '[ab]{2,}', '[^a]', '.', '.*', '[a-zA-Z]+\\d?'],
  ...[
    '\\w+',
    '\\W',
    '\\d\\D',
    '\\s|\\S\\S',
    '[\\s\\d]',
    '[^\\w]',
    '\\p{L}',
    '\\P{L}',
    '[\\p{Lu}_]+',
    '\\u{1f600}',
    '[\\u00e0-\\u00ff]',
  ],
  ...['a+?b*?', '(?<name>a)b', '\\n', '\\x61', '[-a]', '((a)(b))*', '(?:a|ab)(?:b|)'],
];

it.each(SOURCES)('%s takes what it takes in JavaScript', (source) => {
  const whole = automaton(source);
  const expected = new RegExp(`^(?:${source})$`, 'u');
  for (const text of SHORT) expect(accepts(whole, text), JSON.stringify(text)).toBe(expected.test(text));
  const random = new Random(3);
  for (let i = 0; i < 50; i++) expect(randomText(whole, random, 10)).toMatch(expected);
});

it.each([...SOURCES, '^a', 'a$', '^a$|b', '^a|b$', '^^a$$', '^'])('%s is found where JavaScript finds it', (source) => {
  const part = automaton(source, false);
  const expected = new RegExp(source, 'u');
  for (const text of SHORT) expect(accepts(part, text), JSON.stringify(text)).toBe(expected.test(text));
});

it.each([
  ['a(?!b)', '"(?!b)": a lookahead is not supported'],
  ['(?<=a)b', '"(?<=a)": a lookbehind is not supported'],
  ['\\ba', '"\\b": a word boundary is not supported'],
  ['(a)\\1', '"\\1": a backreference is not supported'],
  ['(^a|b)', 'an anchor that is not at an end of the expression is not supported'],
  ['a{2,1}', 'it is no regular expression of ECMAScript'],
  ['\\-', 'it is no regular expression of ECMAScript with the flag u'],
  ['a{100001}', 'repeats more than 100000 times'],
])('%s is refused', (source, message) => {
  expect(() => automaton(source)).toThrow(message);
});
