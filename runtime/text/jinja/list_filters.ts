/** Filters of lists, dicts and numbers. */

import { getAttribute, getItem, hasAttribute } from './access.js';
import { count, integer } from './arguments.js';
import { absolute, add, OPERATIONS } from './arithmetic.js';
import { equal, less, sorted } from './compare.js';
import { checkItems, JinjaError, typeError } from './errors.js';
import { items, iterate, list, reversed } from './iterate.js';
import { parseFloatText, parseInteger, roundFloat, roundInteger, toFloat, truncate } from './numbers.js';
import { repr, str } from './print.js';
import { joinTexts } from './strings.js';
import { type Filter, filter, reversedText } from './text_filters.js';
import { Dict, isText, isTrue, length, Markup, Once, plain, Tuple, typeName, Undefined, type Value } from './values.js';

type Optional = Value | undefined;

/** Names and positions of a path like `function.name`. */
export function path(attribute: Value): Value[] {
  if (attribute === null) return [];
  if (!isText(attribute)) return [attribute];
  return plain(attribute)
    .split('.')
    .map((part) => (/^\p{Nd}+$/u.test(part) ? (parseInteger(part, 10) ?? part) : part));
}

/** What is at a path of each value; `otherwise` for what is not there. */
export function getter(attribute: Value, otherwise: Value = null): (value: Value) => Value {
  const parts = path(attribute);
  return (value) =>
    parts.reduce((at, part) => {
      const found = getItem(at, part);
      return otherwise !== null && found instanceof Undefined ? otherwise : found;
    }, value);
}

const lowered = (value: Value): Value =>
  typeof value === 'string'
    ? value.toLowerCase()
    : value instanceof Markup
      ? new Markup(value.text.toLowerCase())
      : value;
const ignoring = (caseSensitive: Value, get: (value: Value) => Value) =>
  isTrue(caseSensitive) ? get : (value: Value) => lowered(get(value));

function sort(value: Optional, reverse: Value = false, caseSensitive: Value = false, attribute: Value = null): Value {
  const paths = isText(attribute) ? plain(attribute).split(',') : [attribute];
  const getters = paths.map((each) => ignoring(caseSensitive, getter(each)));
  return sorted(list(value!), (item) => getters.map((get) => get(item)), isTrue(reverse));
}

function dictSort(value: Optional, caseSensitive: Value = false, by: Value = 'key', reverse: Value = false): Value {
  if (by !== 'key' && by !== 'value')
    throw new JinjaError('FilterArgumentError', 'You can only sort by either "key" or "value"');
  const entries = list(getAttributeItems(value!));
  const at = by === 'key' ? 0 : 1;
  const key = ignoring(caseSensitive, (item) => (item as Tuple).items[at]!);
  return sorted(entries, key, isTrue(reverse));
}

function getAttributeItems(value: Value): Value {
  if (value instanceof Dict) return [...value.entries()].map((entry) => new Tuple(entry));
  if (value instanceof Undefined) throw value.error();
  throw new JinjaError('AttributeError', `'${typeName(value)}' object has no attribute 'items'`);
}

function unique(value: Optional, caseSensitive: Value = false, attribute: Value = null): Value {
  const get = ignoring(caseSensitive, getter(attribute));
  return lazy('generator sync_do_unique', function* () {
    const seen = new Dict();
    for (const item of items(value!)) {
      const key = get(item);
      if (seen.has(key)) continue;
      seen.set(key, null);
      yield item;
    }
  });
}

/** What is gone through once, and made as it is. */
export const lazy = (name: string, make: () => Iterator<Value>): Once => new Once(name, make());

function extreme(
  value: Optional,
  caseSensitive: Value,
  attribute: Value,
  isBetter: (a: Value, b: Value) => boolean,
): Value {
  const get = ignoring(caseSensitive, getter(attribute));
  let best: { value: Value; key: Value } | undefined;
  for (const item of items(value!)) {
    const key = get(item);
    if (!best || isBetter(key, best.key)) best = { value: item, key };
  }
  return best ? best.value : new Undefined('No aggregated item, sequence was empty.');
}

function group(value: Optional, attribute: Optional, otherwise: Value = null, caseSensitive: Value = false): Value {
  const get = getter(attribute!, otherwise);
  const key = ignoring(caseSensitive, get);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(list(value!), key)) {
    const found = key(item);
    const last = groups.at(-1);
    if (last && equal(last.key, found)) last.items.push(item);
    else groups.push({ key: found, items: [item] });
  }
  return groups.map(
    ({ key: found, items: members }) =>
      new Tuple([isTrue(caseSensitive) ? found : get(members[0]!), members], ['grouper', 'list']),
  );
}

function sum(value: Optional, attribute: Value = null, start: Value = 0n): Value {
  if (isText(start)) throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
  const get = attribute === null ? (item: Value) => item : getter(attribute);
  let total: Value = start;
  for (const item of items(value!)) total = add(total, get(item));
  return total;
}

function slices(value: Optional, number: Optional, fill: Value = null): Value {
  return lazy('generator sync_do_slice', function* () {
    const all = list(value!);
    const parts = count(number!);
    if (parts === 0) throw new JinjaError('ZeroDivisionError', 'integer division or modulo by zero');
    checkItems(parts);
    const [each, longer] = [Math.floor(all.length / parts), ((all.length % parts) + parts) % parts];
    let at = 0;
    for (let i = 0; i < parts; i++) {
      const size = each + (i < longer ? 1 : 0);
      const part = all.slice(at, at + size);
      if (fill !== null && i >= longer) part.push(fill);
      at += size;
      yield part;
    }
  });
}

function batch(value: Optional, size: Optional, fill: Value = null): Value {
  return lazy('generator do_batch', function* () {
    let row: Value[] = [];
    for (const item of items(value!)) {
      if (equal(BigInt(row.length), size!)) {
        yield row;
        row = [];
      }
      row.push(item);
    }
    if (row.length === 0) return;
    if (fill !== null && less(BigInt(row.length), size!)) {
      const most = count(integer(size!));
      checkItems(most);
      while (row.length < most) row.push(fill);
    }
    yield row;
  });
}

function join(value: Optional, separator: Value = '', attribute: Value = null): Value {
  const get = attribute === null ? (item: Value) => item : getter(attribute);
  return joinTexts(str(separator), list(value!).map(get), str);
}

function toInt(value: Optional, otherwise: Value = 0n, base: Value = 10n): Value {
  if (value instanceof Undefined) throw value.error();
  if (Array.isArray(value) || value === null || value === undefined) return otherwise;
  if (typeof value === 'bigint' || typeof value === 'boolean') return BigInt(value);
  if (typeof value === 'number') return Number.isNaN(value) ? otherwise : truncate(value);
  if (!isText(value)) return otherwise;
  const radix = count(base);
  if (radix !== 0 && (radix < 2 || radix > 36)) return fromFloat(plain(value)) ?? otherwise;
  return parseInteger(plain(value), radix) ?? fromFloat(plain(value)) ?? otherwise;
}

function fromFloat(text: string): bigint | undefined {
  const float = parseFloatText(text);
  return float === undefined || !Number.isFinite(float) ? undefined : truncate(float);
}

function toFloatFilter(value: Optional, otherwise: Value = 0): Value {
  if (value instanceof Undefined) throw value.error();
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean') return toFloat(value);
  return (isText(value!) ? parseFloatText(plain(value)) : undefined) ?? otherwise;
}

function round(value: Optional, precision: Value = 0n, method: Value = 'common'): Value {
  if (method !== 'common' && method !== 'ceil' && method !== 'floor')
    throw new JinjaError('FilterArgumentError', 'method must be common, ceil or floor');
  if (method === 'common') return roundCommon(value!, precision);
  const scale = OPERATIONS['**']!(10n, precision);
  const scaled = OPERATIONS['*']!(value!, scale);
  if (typeof scaled === 'object' || typeof scaled === 'string')
    throw typeError(`must be real number, not ${typeName(scaled)}`);
  const whole =
    typeof scaled === 'number' ? truncate(method === 'ceil' ? Math.ceil(scaled) : Math.floor(scaled)) : BigInt(scaled);
  return OPERATIONS['/']!(whole, scale);
}

function roundCommon(value: Value, precision: Value): Value {
  if (value instanceof Undefined || value === null || typeof value === 'object' || typeof value === 'string')
    throw typeError(`type ${typeName(value)} doesn't define __round__ method`);
  if (precision === null) return typeof value === 'number' ? truncate(roundFloat(value, 0)) : BigInt(value);
  const digits = count(integer(precision));
  return typeof value === 'number' ? roundFloat(value, digits) : roundInteger(BigInt(value), digits);
}

function reverse(value: Optional): Value {
  if (typeof value === 'string') return reversedText(value);
  if (value instanceof Markup) return new Markup(reversedText(value.text));
  const backwards = reversed(value!);
  if (backwards) return new Once(REVERSED[typeName(value!)] ?? 'reversed', backwards);
  try {
    return list(value!).reverse();
  } catch (error) {
    if (!(error instanceof JinjaError) || error.kind !== 'TypeError') throw error;
    throw new JinjaError('FilterArgumentError', 'argument must be iterable');
  }
}

const REVERSED: Record<string, string> = {
  list: 'list_reverseiterator',
  dict: 'dict_reversekeyiterator',
  range: 'range_iterator',
};

function size(value: Optional): Value {
  const found = length(value!);
  if (found === undefined) throw typeError(`object of type '${typeName(value!)}' has no len()`);
  return BigInt(found);
}

function first(value: Optional): Value {
  const { done, value: item } = iterate(value!).next();
  return done ? new Undefined('No first item, sequence was empty.') : item;
}

function last(value: Optional): Value {
  const backwards = value instanceof Undefined ? [].values() : reversed(value!);
  if (!backwards) throw typeError(`'${typeName(value!)}' object is not reversible`);
  const { done, value: item } = backwards.next();
  return done ? new Undefined('No last item, sequence was empty.') : item;
}

function random(value: Optional): Value {
  const found = length(value!);
  if (found === undefined) throw typeError(`object of type '${typeName(value!)}' has no len()`);
  if (found === 0) return new Undefined('No random item, sequence was empty.');
  return getItem(value!, BigInt(Math.floor(Math.random() * found)));
}

function* entries(value: Optional): Generator<Value> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) throw typeError('Can only get item pairs from a mapping.');
  for (const entry of value.entries()) yield new Tuple(entry);
}

function attr(value: Optional, name: Optional): Value {
  if (!isText(name!)) throw typeError(`attribute name must be string, not '${typeName(name!)}'`);
  if (hasAttribute(value!, plain(name))) return getAttribute(value!, plain(name));
  return new Undefined(`'${typeName(value!)} object' has no attribute ${repr(plain(name))}`);
}

const fallback = (value: Optional, otherwise: Value = '', boolean: Value = false): Value =>
  value instanceof Undefined || (isTrue(boolean) && !isTrue(value!)) ? otherwise : value!;

export const LIST_FILTERS: readonly [string, Filter][] = [
  filter('abs', '/ x', (value) => absolute(value!)),
  filter('attr', 'obj name', attr),
  filter('batch', 'value linecount fill_with=', batch),
  filter('count', '/ obj', size),
  filter('d', 'value default_value= boolean=', fallback),
  filter('default', 'value default_value= boolean=', fallback),
  filter('dictsort', 'value case_sensitive= by= reverse=', dictSort),
  filter('first', 'seq', first),
  filter('float', 'value default=', toFloatFilter),
  filter('groupby', 'value attribute default= case_sensitive=', group),
  filter('int', 'value default= base=', toInt),
  filter('items', 'value', (value) => new Once('generator do_items', entries(value))),
  filter('join', 'value d= attribute=', join),
  filter('last', 'seq', last),
  filter('length', '/ obj', size),
  filter('list', 'value', (value) => list(value!)),
  filter('max', 'value case_sensitive= attribute=', (value, caseSensitive = false, attribute = null) =>
    extreme(value, caseSensitive, attribute, (a, b) => less(b, a, '>')),
  ),
  filter('min', 'value case_sensitive= attribute=', (value, caseSensitive = false, attribute = null) =>
    extreme(value, caseSensitive, attribute, less),
  ),
  filter('random', 'seq', random),
  filter('reverse', 'value', reverse),
  filter('round', 'value precision= method=', round),
  filter('slice', 'value slices fill_with=', slices),
  filter('sort', 'value reverse= case_sensitive= attribute=', sort),
  filter('sum', 'iterable attribute= start=', sum),
  filter('unique', 'value case_sensitive= attribute=', unique),
];
