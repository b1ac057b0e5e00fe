/** Numbers between bounds, as texts of JSON. */
import { charSet } from './char_set.js';
import { characters, choice, EMPTY, type Expression, NOTHING, optional, repeat, sequence, text } from './expression.js';
import { FormatError } from './format_error.js';

export interface Bounds {
  readonly least: number;
  readonly most: number;
  /** The bound itself is out. */
  readonly above: boolean;
  readonly below: boolean;
}

/** Digits in all, so that the double nearest to what is written keeps to the bounds; and of them after the point. */
const MOST_DIGITS = 15;
const MOST_FRACTION = 6;

const digits = (from: number, to: number): Expression =>
  from > to ? NOTHING : characters(charSet([[0x30 + from, 0x30 + to]]));
const anyDigits = (count: number): Expression => repeat(digits(0, 9), count, count);

/** Errors: FormatError for bounds that are too large to be told from their neighbours. */
export function integers({ least, most, above, below }: Bounds): Expression {
  const from = above && Number.isInteger(least) ? least + 1 : Math.ceil(least);
  const to = below && Number.isInteger(most) ? most - 1 : Math.floor(most);
  const limit = 10 ** MOST_DIGITS - 1;
  requireSmall(least, limit);
  requireSmall(most, limit);
  return whole(Math.max(from, -limit), Math.min(to, limit));
}

function requireSmall(bound: number, limit: number): void {
  if (Number.isFinite(bound) && Math.abs(bound) > limit)
    throw new FormatError(`the bound ${bound} has more than ${MOST_DIGITS} digits`);
}

function whole(from: number, to: number): Expression {
  if (from > to) return NOTHING;
  return choice(
    ...(from < 0 ? [sequence(text('-'), positive(Math.max(1, -to), -from))] : []),
    ...(from <= 0 && to >= 0 ? [text('0')] : []),
    ...(to > 0 ? [positive(Math.max(1, from), to)] : []),
  );
}

/** From 1 on; nothing where from > to. */
function positive(from: number, to: number): Expression {
  const options: Expression[] = [];
  for (let count = String(from).length; count <= String(to).length && from <= to; count++) {
    const low = Math.max(from, 10 ** (count - 1));
    const high = Math.min(to, 10 ** count - 1);
    if (low <= high) options.push(sameLength(String(low), String(high)));
  }
  return choice(...options);
}

/** Of as many digits as both bounds have. */
function sameLength(low: string, high: string): Expression {
  if (low === '') return EMPTY;
  const [a, b] = [Number(low[0]), Number(high[0])];
  const rest = low.length - 1;
  if (/^0*$/.test(low.slice(1)) && /^9*$/.test(high.slice(1))) return sequence(digits(a, b), anyDigits(rest));
  if (a === b) return sequence(digits(a, a), sameLength(low.slice(1), high.slice(1)));
  return choice(
    sequence(digits(a, a), sameLength(low.slice(1), '9'.repeat(rest))),
    sequence(digits(a + 1, b - 1), anyDigits(rest)),
    sequence(digits(b, b), sameLength('0'.repeat(rest), high.slice(1))),
  );
}

/** Without exponents. Errors: FormatError for bounds that are no short decimal numbers. */
export function numbers({ least, most, above, below }: Bounds): Expression {
  const magnitudes = [least, most].filter(Number.isFinite).map((bound) => decimal(Math.abs(bound)));
  const integerDigits = Math.max(...magnitudes.map(({ integer }) => String(integer).length), 1);
  const wanted = Math.max(...magnitudes.map(({ fraction }) => fraction.length), 0);
  if (integerDigits + wanted + 1 > MOST_DIGITS)
    throw new FormatError(`bounds of more than ${MOST_DIGITS - 1} digits cannot be told from their neighbours`);
  const fraction = Math.min(Math.max(wanted + 1, MOST_FRACTION), MOST_DIGITS - integerDigits);
  const largest = 10 ** (MOST_DIGITS - fraction) - 1;
  const between = (from: number, to: number, open: { from: boolean; to: boolean }): Expression => {
    if (from > to || (from === to && (open.from || open.to))) return NOTHING;
    return magnitude({ from, to, open, fraction, largest });
  };
  return choice(
    ...(least < 0
      ? [sequence(text('-'), between(Math.max(0, -most), -least, { from: most <= 0 && below, to: above }))]
      : []),
    ...(most >= 0 ? [between(Math.max(0, least), most, { from: least >= 0 && above, to: below })] : []),
  );
}

interface Decimal {
  readonly integer: number;
  readonly fraction: string;
}

function decimal(bound: number): Decimal {
  const written = String(bound);
  const match = /^(\d+)(?:\.(\d+))?$/.exec(written);
  if (!match || match[1]!.length > MOST_DIGITS) throw new FormatError(`the bound ${bound} is no short decimal number`);
  return { integer: Number(match[1]), fraction: match[2] ?? '' };
}

interface Magnitude {
  readonly from: number;
  readonly to: number;
  readonly open: { readonly from: boolean; readonly to: boolean };
  readonly fraction: number;
  readonly largest: number;
}

/** Numbers from 0 on. */
function magnitude({ from, to, open, fraction, largest }: Magnitude): Expression {
  const low = decimal(from);
  const high = Number.isFinite(to) ? decimal(to) : { integer: largest, fraction: '9'.repeat(fraction) };
  const all = (integer: Expression) =>
    sequence(integer, optional(sequence(text('.'), repeat(digits(0, 9), 1, fraction))));
  const lows = (most: number) => tail(low.fraction, 'least', open.from, most);
  const highs = (most: number) => tail(high.fraction, 'most', open.to, most);
  const isIn = (integer: number, part: Expression) => sequence(text(String(integer)), part);
  if (low.integer === high.integer) {
    if (low.fraction === '' && !open.from) return isIn(low.integer, highs(fraction));
    return isIn(low.integer, both(low.fraction, high.fraction, open, fraction));
  }
  return choice(
    isIn(low.integer, lows(fraction)),
    all(whole(low.integer + 1, high.integer - 1)),
    isIn(high.integer, highs(fraction)),
  );
}

/** What follows an integer part that is the bound's: nothing, or a point and digits. */
function tail(bound: string, side: 'least' | 'most', isOpen: boolean, most: number): Expression {
  const withPoint = sequence(
    text('.'),
    side === 'least' ? atLeast(bound, isOpen, most, 1) : atMost(bound, isOpen, most, true),
  );
  const bare = side === 'least' ? bound === '' && !isOpen : bound !== '' || !isOpen;
  return choice(...(bare ? [EMPTY] : []), withPoint);
}

/** Digits, at most so many, of a fraction that is not below this one; `least` of them where any would do. */
function atLeast(bound: string, isOpen: boolean, most: number, least = 0): Expression {
  if (most === 0) return bound === '' && !isOpen ? EMPTY : NOTHING;
  if (bound === '') {
    if (!isOpen) return repeat(digits(0, 9), least, most);
    return choice(
      sequence(digits(1, 9), repeat(digits(0, 9), 0, most - 1)),
      sequence(text('0'), atLeast('', true, most - 1)),
    );
  }
  const first = Number(bound[0]);
  return choice(
    sequence(digits(first + 1, 9), repeat(digits(0, 9), 0, most - 1)),
    sequence(digits(first, first), atLeast(bound.slice(1), isOpen, most - 1)),
  );
}

/** The same of one that is not above; isFirst: a digit has to come. */
function atMost(bound: string, isOpen: boolean, most: number, isFirst: boolean): Expression {
  const isZero = /^0*$/.test(bound);
  const end = isFirst || (isOpen && isZero) ? [] : [EMPTY];
  if (most === 0) return choice(...end);
  if (isZero) return isOpen ? NOTHING : choice(...end, sequence(text('0'), atMost('', isOpen, most - 1, false)));
  const first = Number(bound[0]);
  return choice(
    ...end,
    sequence(digits(0, first - 1), repeat(digits(0, 9), 0, most - 1)),
    sequence(digits(first, first), atMost(bound.slice(1), isOpen, most - 1, false)),
  );
}

/** A point and digits between two fractions of the same integer part. */
function both(low: string, high: string, open: Magnitude['open'], most: number): Expression {
  const between = (a: string, b: string, left: number, isFirst: boolean): Expression => {
    if (a === '' && !open.from) return atMost(b, open.to, left, isFirst);
    if (left === 0) return NOTHING;
    const [first, last] = [Number(a[0] ?? 0), Number(b[0] ?? 0)];
    const [restA, restB] = [a.slice(1), b.slice(1)];
    if (first > last) return NOTHING;
    if (first === last) return sequence(digits(first, first), between(restA, restB, left - 1, false));
    return choice(
      sequence(digits(first, first), atLeast(restA, open.from, left - 1)),
      sequence(digits(first + 1, last - 1), repeat(digits(0, 9), 0, left - 1)),
      sequence(digits(last, last), atMost(restB, open.to, left - 1, false)),
    );
  };
  return sequence(text('.'), between(low, high, most, true));
}
