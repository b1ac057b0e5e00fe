/** Python's format specifications, as `{:>8.2f}` has them, and what %-formatting shares with them. */
import { checkText, typeError, unsupported, valueError } from './errors.js';
import { floatText, intText, toFloat, toPlaces, toScientific } from './numbers.js';
import { str } from './print.js';
import { characters, isText, plain, typeName, type Value } from './values.js';

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?(.)?$/su;

interface Spec {
  readonly fill: string;
  readonly align: string | undefined;
  readonly sign: string;
  readonly alternate: boolean;
  readonly width: number;
  readonly group: string;
  readonly places: number | undefined;
  readonly type: string;
}

/** format(value, spec). */
export function format(value: Value, text: string): string {
  if (text === '') return str(value);
  const isNumber = typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean';
  if (!isNumber && !isText(value)) throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
  const spec = read(text, isNumber);
  checkText(spec.width);
  if (isText(value)) return formatText(plain(value), spec);
  return typeof value === 'number' || 'eEfFgG%'.includes(spec.type || '?')
    ? aligned(...floatParts(toFloat(value), spec), spec)
    : aligned(...integerParts(BigInt(value), spec), spec);
}

function read(text: string, isNumber: boolean): Spec {
  const match = SPEC.exec(text);
  if (!match) throw valueError(`Invalid format specifier '${text}'`);
  const [, fill, align, sign = '', , alternate, zero, width = '0', group = '', places, type = ''] = match;
  if (zero && width === '0' && !/\d/.test(match[7] ?? ''))
    return { ...NONE, fill: fill ?? '0', align: align ?? '=', sign, type, group, places: whole(places) };
  return {
    fill: fill ?? (zero ? '0' : ' '),
    align: align ?? (zero && isNumber ? '=' : undefined),
    sign,
    alternate: alternate !== undefined,
    width: Number(width),
    group,
    places: whole(places),
    type,
  };
}

const whole = (digits: string | undefined) => (digits === undefined ? undefined : Number(digits));
const NONE: Spec = {
  fill: ' ',
  align: undefined,
  sign: '',
  alternate: false,
  width: 0,
  group: '',
  places: undefined,
  type: '',
};

function formatText(text: string, { fill, align, sign, width, group, places, type, alternate }: Spec): string {
  if (type !== '' && type !== 's') throw valueError(`Unknown format code '${type}' for object of type 'str'`);
  if (sign) throw valueError('Sign not allowed in string format specifier');
  if (align === '=') throw valueError("'=' alignment not allowed in string format specifier");
  if (alternate) throw valueError('Alternate form (#) not allowed in string format specifier');
  if (group) throw valueError(`Cannot specify '${group}' with 's'.`);
  const all = characters(text);
  const cut = places === undefined ? text : [...all.slice(0, places)].join('');
  return pad(cut, fill, align ?? '<', width);
}

function pad(text: string, fill: string, align: string, width: number): string {
  const missing = Math.max(width - characters(text).length, 0);
  const left = align === '>' ? missing : align === '^' ? Math.floor(missing / 2) : 0;
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

const RADIX: Record<string, [number, string]> = {
  b: [2, '0b'],
  o: [8, '0o'],
  x: [16, '0x'],
  X: [16, '0X'],
  d: [10, ''],
  n: [10, ''],
  '': [10, ''],
};

function integerParts(value: bigint, { type, group, places, alternate, sign }: Spec): [string, string] {
  if (places !== undefined) throw valueError('Precision not allowed in integer format specifier');
  if (type === 'c') {
    if (sign) throw valueError("Sign not allowed with integer format specifier 'c'");
    return ['', String.fromCodePoint(Number(value))];
  }
  const known = RADIX[type];
  if (!known) throw valueError(`Unknown format code '${type}' for object of type 'int'`);
  const [radix, prefix] = known;
  const magnitude = value < 0n ? -value : value;
  const digits = radix === 10 ? intText(magnitude) : magnitude.toString(radix);
  if (group && type === 'n') throw valueError(`Cannot specify '${group}' with 'n'.`);
  if (group === ',' && radix !== 10) throw valueError(`Cannot specify ',' with '${type}'.`);
  const shown = type === 'X' ? digits.toUpperCase() : digits;
  return [signOf(value < 0n, sign) + (alternate ? prefix : ''), grouped(shown, group, radix === 10 ? 3 : 4)];
}

const signOf = (negative: boolean, sign: string): string => (negative ? '-' : sign === '-' ? '' : sign);

function grouped(digits: string, mark: string, size: number): string {
  if (mark === '') return digits;
  const first = digits.length % size || size;
  let out = digits.slice(0, first);
  for (let i = first; i < digits.length; i += size) out += mark + digits.slice(i, i + size);
  return out;
}

function floatParts(value: number, { type, group, places, alternate, sign }: Spec): [string, string] {
  if (!'eEfFgG%n'.includes(type) && type !== '')
    throw valueError(`Unknown format code '${type}' for object of type 'float'`);
  const negative = value < 0 || Object.is(value, -0);
  const text = floatDigits(type === '%' ? value * 100 : value, type, places, alternate);
  const point = text.search(/[.e%a-z]/i);
  const end = point < 0 ? text.length : point;
  const whole = /^\d/.test(text) ? grouped(text.slice(0, end), group, 3) : text.slice(0, end);
  return [signOf(negative && !Number.isNaN(value), sign), whole + text.slice(end)];
}

/** |value| as a conversion of printf has it, or as str() where there is none. */
export function floatDigits(value: number, type: string, places: number | undefined, alternate: boolean): string {
  const shown = finite(Math.abs(value), type, places, alternate);
  return type === 'E' || type === 'F' || type === 'G' ? shown.toUpperCase() : shown;
}

function finite(value: number, type: string, places: number | undefined, alternate: boolean): string {
  const suffix = type === '%' ? '%' : '';
  if (!Number.isFinite(value)) return floatText(value) + suffix;
  const lower = type.toLowerCase();
  if (lower === 'e') return scientific(value, places ?? 6, alternate);
  if (lower === 'f' || lower === '%')
    return toPlaces(value, places ?? 6) + (alternate && places === 0 ? '.' : '') + suffix;
  if (type === '' && places === undefined) return floatText(value);
  return general(value, Math.max(places ?? 6, 1), alternate, type === '');
}

function scientific(value: number, places: number, alternate: boolean): string {
  const [digits, exponent] = toScientific(value, places);
  const point = places > 0 || alternate ? '.' : '';
  return `${digits[0]}${point}${digits.slice(1)}${power(exponent)}`;
}

const power = (exponent: number): string =>
  `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;

/** `asText`: no type is given; then there is always a digit behind the point. */
function general(value: number, places: number, alternate: boolean, asText: boolean): string {
  const [digits, exponent] = toScientific(value, places - 1);
  const kept = alternate ? digits : digits.replace(/0+$/, '') || '0';
  if (exponent < -4 || exponent >= (asText ? places - 1 || 1 : places)) {
    if (!(asText && places === 1 && exponent === 0))
      return kept[0] + (kept.length > 1 || alternate ? '.' : '') + kept.slice(1) + power(exponent);
  }
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${kept}`;
  const whole = kept.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = kept.slice(exponent + 1);
  return fraction || alternate || asText ? `${whole}.${fraction || (asText ? '0' : '')}` : whole;
}

function aligned(sign: string, body: string, { fill, align = '>', width, group }: Spec): string {
  if (align !== '=') return pad(sign + body, fill, align, width);
  if (group && fill === '0' && sign.length + body.length < width) throw unsupported('zero padding of grouped digits');
  return sign + fill.repeat(Math.max(width - sign.length - body.length, 0)) + body;
}
