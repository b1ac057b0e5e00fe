/** Python's numbers: how they are written and read, and rounded as their exact value says. */
import { JinjaError, valueError } from './errors.js';
import { strip } from './unicode.js';

/** repr() of a float: the shortest digits that are it, and an exponent from 1e16 on and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [digits = '', power = ''] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 16)
    return Number.isInteger(value) ? `${value.toFixed(0)}.0` : fixed(value, digits, exponent);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function fixed(value: number, digits: string, exponent: number): string {
  return value.toFixed(Math.max(digits.replace(/[-.]/g, '').length - 1 - exponent, 0));
}

/** Python reads and writes no int of more digits. */
const MAX_DIGITS = 4300;

export function intText(value: bigint): string {
  if (value < 1n << 64n && value > -(1n << 64n)) return value.toString();
  if (value.toString(16).length > MAX_DIGITS) throw tooLong();
  const text = value.toString();
  if (text.length - (value < 0n ? 1 : 0) > MAX_DIGITS) throw tooLong();
  return text;
}

const tooLong = () => valueError(`Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`);

/** Of decimal digits with at most a minus before them. */
export function readInteger(text: string): bigint {
  if (text.length - (text.startsWith('-') ? 1 : 0) > MAX_DIGITS) throw tooLong();
  return BigInt(text);
}

const PREFIXES: Record<number, string> = { 2: 'b', 8: 'o', 16: 'x' };

/** int(text, base); undefined where the text is none. */
export function parseInteger(text: string, base: number): bigint | undefined {
  const match = /^([+-]?)(?:0([bBoOxX])_?)?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)$/.exec(asciiDigits(strip(text)));
  if (!match) return undefined;
  const [, sign, mark, body = ''] = match;
  const named = mark && Number(Object.keys(PREFIXES).find((key) => PREFIXES[Number(key)] === mark.toLowerCase()));
  if (named && (base === named || base === 0)) return signed(sign, digitsIn(body, named));
  const digits = mark ? `0${mark}${body}` : body;
  if (base === 0 && /^0[0_]*[1-9]/.test(digits)) return undefined;
  return signed(sign, digitsIn(digits, base === 0 ? 10 : base));
}

const signed = (sign: string | undefined, value: bigint | undefined) =>
  sign === '-' && value !== undefined ? -value : value;

function digitsIn(digits: string, base: number): bigint | undefined {
  const bare = digits.replaceAll('_', '').toLowerCase();
  if (base === 10 && bare.length > MAX_DIGITS) throw tooLong();
  for (const digit of bare) if (Number.parseInt(digit, 36) >= base) return undefined;
  const prefix = PREFIXES[base];
  if (base === 10 || prefix) return BigInt(prefix ? `0${prefix}${bare}` : bare);
  let value = 0n;
  for (const digit of bare) value = value * BigInt(base) + BigInt(Number.parseInt(digit, 36));
  return value;
}

/** Decimal digits of any script as those of ASCII. Each script's ten stand one after another, from 0 on. */
function asciiDigits(text: string): string {
  return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0)!;
    let zero = code;
    while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
    return String(code >= 0x1d7ce && code <= 0x1d7ff ? (code - 0x1d7ce) % 10 : code - zero);
  });
}

/** float(text); undefined where the text is none. */
export function parseFloatText(text: string): number | undefined {
  const bare = asciiDigits(strip(text)).toLowerCase();
  if (/^[+-]?(inf|infinity)$/.test(bare)) return bare.startsWith('-') ? -Infinity : Infinity;
  if (/^[+-]?nan$/.test(bare)) return Number.NaN;
  const number = /^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/;
  return number.test(bare) ? Number(bare.replaceAll('_', '')) : undefined;
}

export function toFloat(value: bigint | number | boolean): number {
  const float = Number(value);
  if (typeof value === 'bigint' && !Number.isFinite(float))
    throw new JinjaError('OverflowError', 'int too large to convert to float');
  return float;
}

/** int(value) of a float. */
export function truncate(value: number): bigint {
  if (Number.isNaN(value)) throw valueError('cannot convert float NaN to integer');
  if (!Number.isFinite(value)) throw new JinjaError('OverflowError', 'cannot convert float infinity to integer');
  return BigInt(Math.trunc(value));
}

/** A finite number as numerator and denominator, exactly. */
export function ratio(value: number): readonly [bigint, bigint] {
  let denominator = 1n;
  let numerator = value;
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    denominator *= 2n;
  }
  return [BigInt(numerator), denominator];
}

/** The integer next to numerator / denominator; of two that are as near, the even one. */
export function divideEven(numerator: bigint, denominator: bigint): bigint {
  const twice = 2n * numerator;
  const floor = numerator / denominator - (numerator < 0n && numerator % denominator !== 0n ? 1n : 0n);
  const past = twice - (2n * floor + 1n) * denominator;
  return past > 0n || (past === 0n && floor % 2n !== 0n) ? floor + 1n : floor;
}

/** Digits behind the point that a double can have and an exact value be asked for. */
const MAX_PLACES = 1100;

/** |value| with so many digits behind the point, rounded as its exact value says. */
export function toPlaces(value: number, places: number): string {
  const kept = Math.min(places, MAX_PLACES);
  const [numerator, denominator] = ratio(Math.abs(value));
  const digits = divideEven(numerator * 10n ** BigInt(kept), denominator)
    .toString()
    .padStart(kept + 1, '0');
  const point = digits.length - kept;
  const fraction = digits.slice(point).padEnd(places, '0');
  return places > 0 ? `${digits.slice(0, point)}.${fraction}` : digits;
}

/** The digits of |value| in scientific notation, so many behind the point, and its exponent. */
export function toScientific(value: number, places: number): readonly [digits: string, exponent: number] {
  const kept = Math.min(places, MAX_PLACES);
  if (value === 0) return ['0'.repeat(places + 1), 0];
  const [numerator, denominator] = ratio(Math.abs(value));
  let exponent = Number(Math.abs(value).toExponential().split('e')[1]);
  const scaled = (power: number) =>
    power >= 0
      ? divideEven(numerator * 10n ** BigInt(power), denominator)
      : divideEven(numerator, denominator * 10n ** BigInt(-power));
  let digits = scaled(kept - exponent).toString();
  if (digits.length > kept + 1) digits = scaled(kept - ++exponent).toString();
  return [digits.padEnd(places + 1, '0'), exponent];
}

/** round(value, digits) of a float. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > 323 || value === 0) return value;
  if (digits < -308) return value < 0 ? -0 : 0;
  if (digits >= 0) return Math.sign(value) * Number(toPlaces(value, digits));
  const [numerator, denominator] = ratio(Math.abs(value));
  const scale = 10n ** BigInt(-digits);
  const rounded = Math.sign(value) * Number(divideEven(numerator, denominator * scale) * scale);
  if (!Number.isFinite(rounded)) throw new JinjaError('OverflowError', 'rounded value too large to represent');
  return rounded;
}

export function roundInteger(value: bigint, digits: number): bigint {
  if (digits >= 0) return value;
  if (digits < -MAX_DIGITS) return 0n;
  const scale = 10n ** BigInt(-digits);
  return divideEven(value, scale) * scale;
}
