/** Equality, order and membership. */
import { typeError } from './errors.js';
import { items } from './iterate.js';
import { compareTexts } from './unicode.js';
import { Dict, DictView, isText, plain, Range, sequence, Tuple, typeName, Undefined, type Value } from './values.js';

const isNumber = (value: Value): value is boolean | bigint | number =>
  typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean';

export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isNumber(a)) return isNumber(b) && sameNumber(a, b);
  if (isText(a)) return isText(b) && plain(a) === plain(b);
  if (Array.isArray(a)) return Array.isArray(b) && sameItems(a, b);
  if (a instanceof Tuple) return b instanceof Tuple && sameItems(a.items, b.items);
  if (a instanceof Dict) return b instanceof Dict && sameEntries(a, b);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Range) return b instanceof Range && sameRange(a, b);
  if (a instanceof DictView) return b instanceof DictView && sameView(a, b);
  return false;
}

// biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number are compared exactly by it alone
const sameNumber = (a: boolean | bigint | number, b: boolean | bigint | number): boolean => a == b;

function sameItems(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((item, i) => equal(item, b[i]!));
}

function sameEntries(a: Dict, b: Dict): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a.entries()) {
    const other = b.get(key);
    if (other === undefined || !equal(value, other)) return false;
  }
  return true;
}

const sameRange = (a: Range, b: Range): boolean =>
  a.length === b.length && (a.length === 0n || (a.start === b.start && (a.length === 1n || a.step === b.step)));

/** Keys and items are sets; values are not. */
function sameView(a: DictView, b: DictView): boolean {
  if (a.of === 'values' || b.of === 'values' || a.dict.size !== b.dict.size) return false;
  for (const item of a.items()) if (!contains(b, item)) return false;
  return true;
}

const UNORDERED = Symbol('no order');

/** Negative, zero or positive; NaN where neither is less. */
function order(a: Value, b: Value): number | typeof UNORDERED {
  if (isNumber(a) && isNumber(b)) return a < b ? -1 : a > b ? 1 : sameNumber(a, b) ? 0 : Number.NaN;
  if (isText(a) && isText(b)) return compareTexts(plain(a), plain(b));
  if (Array.isArray(a) && Array.isArray(b)) return orderItems(a, b);
  if (a instanceof Tuple && b instanceof Tuple) return orderItems(a.items, b.items);
  return UNORDERED;
}

function orderItems(a: readonly Value[], b: readonly Value[]): number | typeof UNORDERED {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (equal(x, y)) continue;
    const found = order(x, y);
    if (found === UNORDERED) throw unordered('<', x, y);
    return found;
  }
  return a.length - b.length;
}

const unordered = (operator: string, a: Value, b: Value) => {
  for (const value of [a, b]) if (value instanceof Undefined) return value.error();
  return typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
};

/** < between any two values. Errors: TypeError where there is no order, UndefinedError. */
export function less(a: Value, b: Value, operator = '<'): boolean {
  const found = order(a, b);
  if (found === UNORDERED) {
    if (a instanceof DictView && b instanceof DictView) return subset(a, b) && a.dict.size < b.dict.size;
    throw unordered(operator, a, b);
  }
  return found < 0;
}

function subset(a: DictView, b: DictView): boolean {
  if (a.of === 'values' || b.of === 'values') throw unordered('<', a, b);
  for (const item of a.items()) if (!contains(b, item)) return false;
  return true;
}

function lessOrEqual(a: Value, b: Value, operator: string): boolean {
  const found = order(a, b);
  if (found === UNORDERED) {
    if (a instanceof DictView && b instanceof DictView) return subset(a, b);
    throw unordered(operator, a, b);
  }
  return found <= 0;
}

/** value in container. */
export function contains(container: Value, value: Value): boolean {
  if (isText(container)) {
    if (value instanceof Undefined) throw typeError(`'in <string>' requires string as left operand, not Undefined`);
    if (!isText(value)) throw typeError(`'in <string>' requires string as left operand, not ${typeName(value)}`);
    return plain(container).includes(plain(value));
  }
  const known = sequence(container);
  if (known) return known.some((item) => equal(item, value));
  if (container instanceof Dict) return container.has(value);
  if (container instanceof DictView) return inView(container, value);
  if (container instanceof Range && typeof value !== 'object') return inRange(container, value);
  try {
    for (const item of items(container)) if (equal(item, value)) return true;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.endsWith('is not iterable')) throw error;
    throw typeError(`argument of type '${typeName(container)}' is not iterable`);
  }
  return false;
}

function inView({ of, dict }: DictView, value: Value): boolean {
  if (of === 'keys') return dict.has(value);
  if (of === 'values') return [...dict.values()].some((item) => equal(item, value));
  if (!(value instanceof Tuple) || value.items.length !== 2) return false;
  const found = dict.get(value.items[0]!);
  return found !== undefined && equal(found, value.items[1]!);
}

function inRange({ start, stop, step }: Range, value: Value): boolean {
  if (!isNumber(value) || (typeof value === 'number' && !Number.isInteger(value))) return false;
  const at = BigInt(value);
  const inside = step > 0n ? at >= start && at < stop : at <= start && at > stop;
  return inside && (at - start) % step === 0n;
}

type Comparison = (a: Value, b: Value) => boolean;

/** By the names of Jinja's tokens. */
export const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '==': equal,
  '!=': (a, b) => !equal(a, b),
  '<': less,
  '<=': (a, b) => lessOrEqual(a, b, '<='),
  '>': (a, b) => (isNumber(a) || isText(a) ? less(b, a) : swapped(a, b, '>', less)),
  '>=': (a, b) => swapped(a, b, '>=', lessOrEqual),
  in: (a, b) => contains(b, a),
  'not in': (a, b) => !contains(b, a),
};

function swapped(
  a: Value,
  b: Value,
  operator: string,
  compare: (x: Value, y: Value, operator: string) => boolean,
): boolean {
  if (order(a, b) === UNORDERED && !(a instanceof DictView)) throw unordered(operator, a, b);
  return compare(b, a, operator);
}

/** A sorted copy; values that are equal keep their order, also from the greatest on. */
export function sorted(values: readonly Value[], key: (value: Value) => Value, reverse = false): Value[] {
  const keyed = values.map((value) => ({ value, key: key(value) }));
  const before = (a: Value, b: Value) => (less(a, b) ? -1 : less(b, a) ? 1 : 0);
  keyed.sort(reverse ? (a, b) => before(b.key, a.key) : (a, b) => before(a.key, b.key));
  return keyed.map(({ value }) => value);
}
