/** Formatting with %: `'%s of %d' % (name, count)`. */

import { checkText, JinjaError, typeError, valueError } from './errors.js';
import { floatDigits } from './format_spec.js';
import { intText, toFloat, truncate } from './numbers.js';
import { repr, str, toHtml } from './print.js';
import { characters, Dict, isText, Markup, plain, Tuple, typeName, Undefined, type Value } from './values.js';

const CONVERSION = /%(?:\(((?:[^()]|\([^()]*\))*)\))?([-#0 +]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)?/gsu;

interface Conversion {
  readonly flags: string;
  readonly width: number;
  readonly places: number | undefined;
  readonly type: string;
}

export function percent(format: string | Markup, values: Value): string {
  const source = new Arguments(values);
  const show = format instanceof Markup ? toHtml : str;
  let length = 0;
  const text = plain(format).replace(CONVERSION, (...match) => {
    const hasPoint = /\.(\*|\d+)?[hlL]?.?$/su.test(match[0]) && match[0].includes('.');
    const shown = convert(match, hasPoint, source, show, plain(format));
    length += shown.length;
    checkText(length);
    return shown;
  });
  source.finish();
  checkText(text.length);
  return text;
}

/** What the conversions are of: the items of a tuple, the entries of a dict, or one value. */
class Arguments {
  #next = 0;
  readonly #items: readonly Value[];
  readonly #dict: Value;

  constructor(values: Value) {
    this.#items = values instanceof Tuple ? values.items : [values];
    this.#dict = values;
  }

  next(): Value {
    if (this.#next >= this.#items.length) throw typeError('not enough arguments for format string');
    return this.#items[this.#next++]!;
  }

  named(name: string): Value {
    if (!(this.#dict instanceof Dict)) throw typeError('format requires a mapping');
    const found = this.#dict.get(name);
    if (found === undefined) throw new JinjaError('KeyError', repr(name));
    return found;
  }

  integer(): number {
    const value = this.next();
    if (typeof value !== 'bigint' && typeof value !== 'boolean') throw typeError('* wants int');
    return Number(value);
  }

  /** What has items by name need not be used: a list, a dict, an undefined. */
  finish(): void {
    const isUsed = this.#next >= this.#items.length;
    const isMapping =
      !(this.#dict instanceof Tuple) && !isText(this.#dict) && typeof this.#dict === 'object' && this.#dict !== null;
    if (!isUsed && !isMapping) throw typeError('not all arguments converted during string formatting');
  }
}

function convert(
  match: string[],
  hasPoint: boolean,
  source: Arguments,
  show: (value: Value) => string,
  format: string,
): string {
  const [, name, given = '', wide, exact, type] = match;
  if (type === undefined) throw valueError('incomplete format');
  if (type === '%' && name === undefined && given === '' && wide === undefined && !hasPoint) return '%';
  const stars = wide === '*' ? source.integer() : Number(wide ?? 0);
  const places = exact === '*' ? source.integer() : exact === undefined ? (hasPoint ? 0 : undefined) : Number(exact);
  if (type === '%') return '%';
  const flags = stars < 0 ? `${given}-` : given;
  checkText(Math.abs(stars));
  const conversion = { flags, width: Math.abs(stars), places: places !== undefined && places < 0 ? 0 : places, type };
  if (!'diouxXeEfFgGcrsa'.includes(type)) {
    const code = type.codePointAt(0)!.toString(16);
    throw valueError(
      `unsupported format character '${type}' (0x${code}) at index ${format.indexOf(match[0]!) + match[0]!.length - 1}`,
    );
  }
  return one(name === undefined ? source.next() : source.named(name), conversion, show);
}

function one(value: Value, conversion: Conversion, show: (value: Value) => string): string {
  const { flags, width, places, type } = conversion;
  if ('sra'.includes(type)) {
    const text = type === 's' ? show(value) : type === 'r' ? escapeLike(show, repr(value)) : ascii(repr(value));
    return pad('', places === undefined ? text : [...characters(text).slice(0, places)].join(''), {
      flags: flags.replace('0', ''),
      width,
    });
  }
  if (type === 'c') return pad('', character(value), { flags: flags.replace('0', ''), width });
  if ('diouxX'.includes(type)) return pad(...whole(value, conversion), conversion);
  return pad(...real(value, conversion), conversion);
}

/** repr() of what is put into HTML is escaped, too. */
const escapeLike = (show: (value: Value) => string, text: string): string => show(text);

function ascii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    return code.length <= 2
      ? `\\x${code}`
      : code.length <= 4
        ? `\\u${code.padStart(4, '0')}`
        : `\\U${code.padStart(8, '0')}`;
  });
}

function character(value: Value): string {
  if (isText(value) && characters(plain(value)).length === 1) return plain(value);
  if (typeof value !== 'bigint' && typeof value !== 'boolean') throw typeError('%c requires int or char');
  if (BigInt(value) < 0n || BigInt(value) > 0x10ffffn)
    throw new JinjaError('OverflowError', '%c arg not in range(0x110000)');
  return String.fromCodePoint(Number(value));
}

function number(value: Value, type: string): boolean | bigint | number {
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return value;
  const wanted = 'oxX'.includes(type) ? 'an integer is' : 'a real number is';
  if (value instanceof Undefined) throw value.error();
  throw typeError(`%${type} format: ${wanted} required, not ${typeName(value)}`);
}

function whole(value: Value, { flags, places = 0, type }: Conversion): [string, string] {
  const given = number(value, type);
  if (typeof given === 'number' && 'oxX'.includes(type))
    throw typeError(`%${type} format: an integer is required, not float`);
  const exact = typeof given === 'number' ? truncate(given) : BigInt(given);
  const magnitude = exact < 0n ? -exact : exact;
  const radix = type === 'o' ? 8 : type === 'x' || type === 'X' ? 16 : 10;
  checkText(places);
  const digits = (radix === 10 ? intText(magnitude) : magnitude.toString(radix)).padStart(places, '0');
  const prefix = flags.includes('#') ? ({ o: '0o', x: '0x', X: '0x' }[type] ?? '') : '';
  const body = prefix + digits;
  const sign = signOf(exact < 0n, flags);
  return type === 'X'
    ? [sign + prefix.toUpperCase(), digits.toUpperCase()]
    : [sign + prefix, body.slice(prefix.length)];
}

function real(value: Value, { flags, places, type }: Conversion): [string, string] {
  const float = toFloat(number(value, type));
  checkText(places ?? 0);
  const negative = (float < 0 || Object.is(float, -0)) && !Number.isNaN(float);
  return [signOf(negative, flags), floatDigits(float, type, places ?? 6, flags.includes('#'))];
}

const signOf = (negative: boolean, flags: string): string =>
  negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';

function pad(sign: string, body: string, { flags, width }: Pick<Conversion, 'flags' | 'width'>): string {
  const missing = Math.max(width - sign.length - characters(body).length, 0);
  if (flags.includes('-')) return sign + body + ' '.repeat(missing);
  return flags.includes('0') ? sign + '0'.repeat(missing) + body : ' '.repeat(missing) + sign + body;
}
