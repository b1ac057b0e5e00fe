/** The parts of JSON texts. White space is bounded: a space, or a line's end and what indents the next line. */
import { type CharSet, charSet, charsOf, intersection, negated, without } from './char_set.js';
import {
  characters,
  choice,
  EMPTY,
  type Expression,
  Rule,
  repeat,
  rule,
  sequence,
  shared,
  text,
} from './expression.js';

const MOST_INDENT = 20;
const SPACE = new Rule(
  'white space',
  choice(EMPTY, text(' '), sequence(text('\n'), repeat(characters(charsOf(' \t')), 0, MOST_INDENT))),
);
export const space = rule(SPACE);
export const comma = sequence(text(','), space);
export const colon = sequence(text(':'), space);
const quote = text('"');

const RAW = without(negated(charSet([[0, 0x1f]])), charsOf('"\\'));
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '"': '\\"', '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t' },
};
const HEX = charsOf('0123456789abcdefABCDEF');
const hex = (count: number) => repeat(characters(HEX), count, count);

/** Any character in a string, also as an escape; pairs of surrogates are one. */
const anyCharacter = shared(
  'character of a string',
  choice(
    characters(RAW),
    sequence(text('\\'), characters(charsOf('"\\/bfnrt'))),
    sequence(
      text('\\u'),
      choice(
        sequence(characters(without(HEX, charsOf('dD'))), hex(3)),
        sequence(characters(charsOf('dD')), characters(charsOf('01234567')), hex(2)),
        sequence(
          ...[characters(charsOf('dD')), characters(charsOf('89abAB')), hex(2), text('\\u')],
          ...[characters(charsOf('dD')), characters(charsOf('cdefCDEF')), hex(2)],
        ),
      ),
    ),
  ),
);

/** A character of the set in a string, in its shortest form. */
export function inString(set: CharSet): Expression {
  const escaped = [...Array(0x20).keys(), 0x22, 0x5c].filter((code) =>
    set.some(([from, to]) => code >= from && code <= to),
  );
  const escapes = escaped.map((code) => text(escapeOf(String.fromCodePoint(code))));
  return choice(characters(intersection(set, RAW)), ...escapes);
}

const escapeOf = (char: string) => ESCAPES[char] ?? `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`;

/** Around what is between its quotes. */
export const quoted = (inner: Expression): Expression => sequence(quote, inner, quote);

export const anyString = (least = 0, most = Number.POSITIVE_INFINITY): Expression =>
  quoted(repeat(anyCharacter, least, most));

/** A string that is none of these, without escapes. */
export function stringBut(texts: readonly string[]): Expression {
  const rest = repeat(shared('plain character', characters(RAW)));
  const after = (endings: readonly string[]): Expression => {
    const firsts = [...new Set(endings.flatMap((ending) => [...ending].slice(0, 1)))];
    return choice(
      ...(endings.includes('') ? [] : [EMPTY]),
      sequence(characters(without(RAW, charsOf(firsts.join('')))), rest),
      ...firsts
        .filter((first) => ESCAPES[first] === undefined && first >= ' ')
        .map((first) =>
          sequence(
            text(first),
            after(endings.filter((ending) => ending.startsWith(first)).map((ending) => ending.slice(first.length))),
          ),
        ),
    );
  };
  return texts.length === 0 ? anyString() : quoted(after(texts));
}

const digit = characters(charsOf('0123456789'));
const nonzero = characters(charsOf('123456789'));
/** Digits of a number at most: so that a double has its value. */
const MOST_DIGITS = 15;
export const anyInteger = shared(
  'integer',
  sequence(repeat(text('-'), 0, 1), choice(text('0'), sequence(nonzero, repeat(digit, 0, MOST_DIGITS - 1)))),
);
export const anyNumber = shared(
  'number',
  sequence(
    anyInteger,
    repeat(sequence(text('.'), repeat(digit, 1, MOST_DIGITS)), 0, 1),
    repeat(sequence(characters(charsOf('eE')), repeat(characters(charsOf('+-')), 0, 1), repeat(digit, 1, 2)), 0, 1),
  ),
);

/** A JSON value as JSON.stringify writes it. */
export const exactly = (value: unknown): Expression => text(JSON.stringify(value));

/** Items between brackets, so many. */
export const list = (open: string, inner: Expression, close: string): Expression =>
  sequence(text(open), space, inner, space, text(close));

/** One item or more with commas between them. */
export const items = (item: Expression, least: number, most: number): Expression =>
  choice(
    ...(least === 0 ? [EMPTY] : []),
    ...(most > 0 ? [sequence(item, repeat(sequence(comma, item), Math.max(least - 1, 0), most - 1))] : []),
  );

const VALUE = new Rule('value');
/** Any value. */
export const anyValue = rule(VALUE);
export const member = (key: Expression, value: Expression): Expression => sequence(key, colon, value);
export const anyObject = shared(
  'object',
  list('{', items(member(anyString(), anyValue), 0, Number.POSITIVE_INFINITY), '}'),
);
export const anyArray = shared('array', list('[', items(anyValue, 0, Number.POSITIVE_INFINITY), ']'));
VALUE.body = choice(text('null'), text('true'), text('false'), anyNumber, anyString(), anyArray, anyObject);
