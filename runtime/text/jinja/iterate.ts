/** What loops and filters go through, item by item. */
import { checkItems, typeError, valueError } from './errors.js';
import {
  Callable,
  characters,
  Dict,
  DictView,
  Markup,
  Once,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** Errors: TypeError for what cannot be gone through. */
export function iterate(value: Value): Iterator<Value> {
  if (typeof value === 'string') return characters(value)[Symbol.iterator]();
  if (Array.isArray(value)) return value.values();
  if (value instanceof Tuple) return value.items.values();
  if (value instanceof Dict) return value.keys();
  if (value instanceof DictView || value instanceof Range) return value.items();
  if (value instanceof Once) return value.iterator;
  if (value instanceof Markup) return characters(value.text)[Symbol.iterator]();
  if (value instanceof Undefined) return [].values();
  throw typeError(`'${typeName(value)}' object is not iterable`);
}

export function isIterable(value: Value): boolean {
  try {
    iterate(value);
    return true;
  } catch {
    return false;
  }
}

/** The items as they come: what gives them is asked for one at a time. */
export function items(value: Value): Iterable<Value> {
  const iterator = iterate(value);
  return { [Symbol.iterator]: () => ({ next: () => iterator.next() }) };
}

/** A new list of the items. */
export function list(value: Value): Value[] {
  if (Array.isArray(value)) return [...value];
  const all: Value[] = [];
  for (const item of items(value)) {
    all.push(item);
    checkItems(all.length);
  }
  return all;
}

/** So many items as there are targets. */
export function unpack(value: Value, count: number): readonly Value[] {
  const parts: Value[] = [];
  if (value instanceof Callable) throw typeError(`cannot unpack non-iterable ${typeName(value)} object`);
  for (const item of items(value)) {
    if (parts.length === count) throw valueError(`too many values to unpack (expected ${count})`);
    parts.push(item);
  }
  if (parts.length < count) throw valueError(`not enough values to unpack (expected ${count}, got ${parts.length})`);
  return parts;
}

/** reversed(value); undefined for what has no end to begin at. */
export function reversed(value: Value): Iterator<Value> | undefined {
  const able = typeof value === 'string' || Array.isArray(value) || value instanceof Tuple || value instanceof Markup;
  if (able || value instanceof Range || value instanceof Dict || value instanceof DictView)
    return list(value).reverse().values();
  return undefined;
}
