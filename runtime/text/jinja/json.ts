/** json.dumps, as the filter tojson calls it, and JSON read into Python's values. */

import { readJsonAs } from '../json_reader.js';
import { bind, integer } from './arguments.js';
import { sorted } from './compare.js';
import { checkText, typeError, valueError } from './errors.js';
import { unpack } from './iterate.js';
import { floatText, intText, readInteger } from './numbers.js';
import { Dict, isText, type Keywords, plain, sequence, typeName, type Value } from './values.js';

interface Layout {
  readonly indent: string | undefined;
  readonly comma: string;
  readonly colon: string;
  readonly ascii: boolean;
  readonly sortKeys: boolean;
}

export function tojson(args: readonly Value[], keywords: Keywords): Value {
  const signature = 'x ensure_ascii= indent= separators= sort_keys=';
  const [value, ascii = false, indent = null, separators = null, sortKeys = false] = bind(
    'tojson',
    signature,
    args,
    keywords,
  );
  const indented =
    indent === null ? undefined : isText(indent) ? plain(indent) : ' '.repeat(Math.max(Number(integer(indent)), 0));
  const [comma, colon] =
    separators === null ? [indented === undefined ? ', ' : ',', ': '] : unpack(separators, 2).map(mark);
  return dump(
    value!,
    { indent: indented, comma: comma!, colon: colon!, ascii: Boolean(ascii), sortKeys: Boolean(sortKeys) },
    '\n',
  );
}

function mark(value: Value): string {
  if (isText(value)) return plain(value);
  throw typeError(`expected a separator that is a str, found ${typeName(value)}`);
}

function dump(value: Value, layout: Layout, line: string): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return intText(value);
  if (typeof value === 'number') return float(value);
  if (isText(value)) return text(plain(value), layout.ascii);
  const items = sequence(value);
  if (items) return nested('[]', items, layout, line, (item, inner) => dump(item, layout, inner));
  if (!(value instanceof Dict)) throw typeError(`Object of type ${typeName(value)} is not JSON serializable`);
  const entries = layout.sortKeys
    ? sorted([...value.keys()], (key) => key).map((key) => [key, value.get(key)!] as const)
    : [...value.entries()];
  return nested(
    '{}',
    entries,
    layout,
    line,
    ([key, item], inner) => `${text(keyText(key), layout.ascii)}${layout.colon}${dump(item, layout, inner)}`,
  );
}

function nested<T>(
  brackets: string,
  items: readonly T[],
  layout: Layout,
  line: string,
  show: (item: T, line: string) => string,
): string {
  if (items.length === 0) return brackets;
  const inner = layout.indent === undefined ? line : line + layout.indent;
  const separator = layout.comma + (layout.indent === undefined ? '' : inner);
  let out = brackets[0]! + (layout.indent === undefined ? '' : inner);
  for (const [i, item] of items.entries()) {
    out += (i === 0 ? '' : separator) + show(item, inner);
    checkText(out.length);
  }
  return out + (layout.indent === undefined ? '' : line) + brackets[1];
}

function float(value: number): string {
  if (Number.isFinite(value)) return floatText(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function keyText(key: Value): string {
  if (isText(key)) return plain(key);
  if (key === null || typeof key === 'boolean') return String(key);
  if (typeof key === 'bigint') return intText(key);
  if (typeof key === 'number') return float(key);
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const NAMED: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function text(value: string, ascii: boolean): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those that JSON escapes
  const pattern = ascii ? /["\\]|[^ -~]/g : /["\\\0-\x1f]/g;
  return `"${value.replace(pattern, (unit) => NAMED[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
}

/** A text of JSON: keys in its order, an int where it has one, a float where it has one. */
export function readJson(source: string): Value {
  return readJsonAs<Value>(source, {
    literal: (value) => value,
    text: (value) => value,
    number: (text) => (/[.eE]/.test(text) ? Number(text) : readInteger(text)),
    list: (items) => items,
    object: (entries) => new Dict(entries),
    fail: valueError,
  });
}
