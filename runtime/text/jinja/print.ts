/** str() and repr(). */

import { checkText } from './errors.js';
import { floatText, intText } from './numbers.js';
import { isPrintable } from './unicode.js';
import {
  Builtin,
  Callable,
  Dict,
  DictView,
  Markup,
  Namespace,
  Once,
  PyObject,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return '';
  return repr(value);
}

export function repr(value: Value): string {
  if (value === null) return 'None';
  if (Array.isArray(value)) return `[${list(value)}]`;
  if (value instanceof PyObject) return object(value);
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'bigint' ? intText(value) : floatText(value);
}

function object(value: PyObject): string {
  if (value instanceof Tuple) return `(${list(value.items)}${value.items.length === 1 ? ',' : ''})`;
  if (value instanceof Dict) return dict(value);
  if (value instanceof Markup) return `Markup(${quoted(value.text)})`;
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof DictView) return `${value.typeName}([${list([...value.items()])}])`;
  if (value instanceof Range) return range(value);
  if (value instanceof Namespace) return `<Namespace ${dict(value.attributes)}>`;
  if (value instanceof Builtin) return builtin(value);
  const shown = 'repr' in value && typeof value.repr === 'function' ? value.repr() : undefined;
  if (shown !== undefined) return shown;
  if (value instanceof Callable) return `<${value.typeName} ${value.name} ${ADDRESS}>`;
  return value instanceof Once
    ? `<${value.typeName} object ${ADDRESS}>`
    : `<jinja2.${value.typeName} object ${ADDRESS}>`;
}

/** Python prints where an object lies, which is another place in each run. */
const ADDRESS = 'at 0x7f0000000000';

function builtin({ name, self }: Builtin): string {
  return self
    ? `<built-in method ${name} of ${typeName(self.value)} object ${ADDRESS}>`
    : `<function ${name} ${ADDRESS}>`;
}

const range = ({ start, stop, step }: Range): string =>
  step === 1n ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;

function list(items: readonly Value[]): string {
  let out = '';
  for (const [i, item] of items.entries()) {
    out += i === 0 ? repr(item) : `, ${repr(item)}`;
    checkText(out.length);
  }
  return out;
}

function dict(value: Dict): string {
  let out = '';
  for (const [key, item] of value.entries()) {
    out += `${out === '' ? '' : ', '}${repr(key)}: ${repr(item)}`;
    checkText(out.length);
  }
  return `{${out}}`;
}

const NAMED: Record<string, string> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\' };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  if (/^[ !#-&(-[\]-~]*$/.test(text)) return quote + text + quote;
  let out = quote;
  for (const character of text) {
    if (character === quote) out += `\\${quote}`;
    else out += NAMED[character] ?? (isPrintable(character) ? character : escaped(character));
  }
  return out + quote;
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  const [mark, digits] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8];
  return `\\${mark}${code.toString(16).padStart(digits as number, '0')}`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' };

/** HTML of a value; what is HTML already stays. */
export function toHtml(value: Value): string {
  if (value instanceof Markup) return value.text;
  const text = str(value).replace(/[&<>'"]/g, (character) => ENTITIES[character]!);
  checkText(text.length);
  return text;
}
