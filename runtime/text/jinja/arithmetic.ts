/** + - * / // % ** between Python's values. */
import { checkItems, checkText, JinjaError, typeError, unsupported, valueError } from './errors.js';
import { toFloat } from './numbers.js';
import { percent } from './percent.js';
import { toHtml } from './print.js';
import { isText, Markup, plain, Tuple, typeName, Undefined, type Value } from './values.js';

type Numeric = bigint | number;

/** A number; a bool is an int. */
function numeric(value: Value): Numeric | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  return typeof value === 'boolean' ? BigInt(value) : undefined;
}

function unable(operator: string, a: Value, b: Value): JinjaError {
  for (const value of [a, b]) if (value instanceof Undefined) return value.error();
  return typeError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

interface Rule {
  readonly whole: (a: bigint, b: bigint) => Numeric;
  readonly real: (a: number, b: number) => number;
}

function calculate(operator: string, a: Value, b: Value, { whole, real }: Rule): Value {
  const [x, y] = [numeric(a), numeric(b)];
  if (x === undefined || y === undefined) throw unable(operator, a, b);
  return typeof x === 'bigint' && typeof y === 'bigint' ? whole(x, y) : real(toFloat(x), toFloat(y));
}

const ADD: Rule = { whole: (a, b) => a + b, real: (a, b) => a + b };
const SUBTRACT: Rule = { whole: (a, b) => a - b, real: (a, b) => a - b };
const MULTIPLY: Rule = { whole: product, real: (a, b) => a * b };
const DIVIDE: Rule = { whole: divideWhole, real: (a, b) => a / nonzero(b, 'float division by zero') };
const FLOOR: Rule = { whole: (a, b) => floor(a, nonzero(b, 'integer division or modulo by zero')), real: floorReal };
const MODULO: Rule = { whole: (a, b) => modulo(a, nonzero(b, 'integer modulo by zero')), real: moduloReal };
const POWER: Rule = { whole: powerWhole, real: powerReal };

function nonzero<T extends Numeric>(value: T, message: string): T {
  // biome-ignore lint/suspicious/noDoubleEquals: of either kind
  if (value == 0) throw new JinjaError('ZeroDivisionError', message);
  return value;
}

/** Digits (of 64 bits) of an int that a template may make. */
const MAX_BITS = 1 << 20;
const bits = (value: bigint): number => (value < 0n ? -value : value).toString(16).length * 4;

function checkBits(size: number): void {
  if (size > MAX_BITS)
    throw new JinjaError('LimitError', `expected integers of at most ${MAX_BITS} bits, found ${size}`);
}

function product(a: bigint, b: bigint): bigint {
  const made = a * b;
  if (made > 1n << 64n || made < -(1n << 64n)) checkBits(bits(a) + bits(b));
  return made;
}

/** The double next to a / b, exactly. */
function divideWhole(a: bigint, b: bigint): number {
  nonzero(b, 'division by zero');
  const [x, y] = [Number(a), Number(b)];
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return x / y;
  const shift = BigInt(Math.max(bits(b) - bits(a) + 66, 0));
  const quotient = ((a < 0n ? -a : a) << shift) / (b < 0n ? -b : b);
  const sticky = ((a < 0n ? -a : a) << shift) % (b < 0n ? -b : b) === 0n ? 0n : 1n;
  const magnitude = toFloat((quotient << 1n) | sticky) / 2 / 2 ** Number(shift);
  if (!Number.isFinite(magnitude))
    throw new JinjaError('OverflowError', 'integer division result too large for a float');
  return a < 0n === b < 0n ? magnitude : -magnitude;
}

function floor(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

const modulo = (a: bigint, b: bigint): bigint => a - floor(a, b) * b;

function moduloReal(a: number, b: number): number {
  nonzero(b, 'float modulo');
  const rest = a % b;
  if (rest === 0) return b < 0 ? -0 : 0;
  return rest < 0 !== b < 0 ? rest + b : rest;
}

function floorReal(a: number, b: number): number {
  nonzero(b, 'float floor division by zero');
  const rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && rest < 0 !== b < 0) quotient -= 1;
  if (quotient === 0) return a < 0 !== b < 0 ? -0 : 0;
  const whole = Math.floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

function powerWhole(a: bigint, b: bigint): Numeric {
  if (b < 0n) return powerReal(toFloat(a), toFloat(b));
  if (a === 0n || a === 1n || a === -1n) return a ** (b % 2n === 0n && b > 0n ? 2n : b === 0n ? 0n : 1n);
  checkBits(b > BigInt(MAX_BITS) ? MAX_BITS + 1 : (bits(a) - 3) * Number(b));
  return a ** b;
}

function powerReal(a: number, b: number): number {
  if (a === 0 && b < 0) throw new JinjaError('ZeroDivisionError', '0.0 cannot be raised to a negative power');
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) throw unsupported('a complex number');
  if (a === 1 || (a === -1 && !Number.isFinite(b) && !Number.isNaN(b))) return 1;
  const made = a ** b;
  if (!Number.isFinite(made) && Number.isFinite(a) && Number.isFinite(b))
    throw new JinjaError('OverflowError', "(34, 'Numerical result out of range')");
  return made;
}

export function add(a: Value, b: Value): Value {
  if (isText(a) && isText(b)) return joined(a, b);
  if (Array.isArray(a) && Array.isArray(b)) return listed([...a, ...b]);
  if (a instanceof Tuple && b instanceof Tuple) return new Tuple(listed([...a.items, ...b.items]));
  if (numeric(a) === undefined && numeric(b) !== undefined && isText(a))
    throw typeError(`can only concatenate str (not "${typeName(b)}") to str`);
  return calculate('+', a, b, ADD);
}

function joined(a: string | Markup, b: string | Markup): Value {
  if (typeof a === 'string' && typeof b === 'string') {
    checkText(a.length + b.length);
    return a + b;
  }
  return new Markup(toHtml(a) + toHtml(b));
}

function listed(items: Value[]): Value[] {
  checkItems(items.length);
  return items;
}

function multiply(a: Value, b: Value): Value {
  const times = typeof a === 'bigint' || typeof a === 'boolean' ? a : b;
  const repeated = times === a ? b : a;
  const isRepeated = isText(repeated) || Array.isArray(repeated) || repeated instanceof Tuple;
  if (!isRepeated) return calculate('*', a, b, MULTIPLY);
  if (typeof times !== 'bigint' && typeof times !== 'boolean') {
    if (times instanceof Undefined) throw times.error();
    throw typeError(`can't multiply sequence by non-int of type '${typeName(times)}'`);
  }
  return repeat(repeated, Math.max(Number(times), 0));
}

function repeat(value: string | Markup | Value[] | Tuple, times: number): Value {
  if (isText(value)) {
    checkText(plain(value).length * times);
    const text = plain(value).repeat(plain(value) === '' ? 0 : times);
    return typeof value === 'string' ? text : new Markup(text);
  }
  const items = Array.isArray(value) ? value : value.items;
  checkItems(items.length * times);
  const all = items.length === 0 ? [] : (Array.from({ length: times }, () => items).flat(1) as Value[]);
  return Array.isArray(value) ? all : new Tuple(all);
}

function remainder(a: Value, b: Value): Value {
  if (typeof a === 'string') return percent(a, b);
  if (a instanceof Markup) return new Markup(percent(a, b));
  return calculate('%', a, b, MODULO);
}

export const OPERATIONS: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  '+': add,
  '-': (a, b) => calculate('-', a, b, SUBTRACT),
  '*': multiply,
  '/': (a, b) => calculate('/', a, b, DIVIDE),
  '//': (a, b) => calculate('//', a, b, FLOOR),
  '%': remainder,
  '**': (a, b) => calculate('** or pow()', a, b, POWER),
};

/** -value or +value. */
export function unary(operator: '-' | '+', value: Value): Value {
  const number = numeric(value);
  if (value instanceof Undefined) throw value.error();
  if (number === undefined) throw typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  return operator === '-' ? -number : number;
}

export function absolute(value: Value): Value {
  const number = numeric(value);
  if (number === undefined) throw typeError(`bad operand type for abs(): '${typeName(value)}'`);
  return number < 0 ? -number : Object.is(number, -0) ? 0 : number;
}

/** A slice's bounds in a sequence of `size`: Python's rules for what is left out, negative or too far. */
export function sliceIndices(size: number, start: Value, stop: Value, step: Value): number[] {
  const index = (value: Value): number | undefined => {
    if (value === null) return undefined;
    if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
    throw typeError('slice indices must be integers or None or have an __index__ method');
  };
  const by = index(step) ?? 1;
  if (by === 0) throw valueError('slice step cannot be zero');
  const [low, high] = by > 0 ? [0, size] : [-1, size - 1];
  const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, low), high);
  const [given, end] = [index(start), index(stop)];
  const from = given === undefined ? (by > 0 ? low : high) : clamp(given);
  const to = end === undefined ? (by > 0 ? high : low) : clamp(end);
  const indices: number[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) indices.push(i);
  return indices;
}
