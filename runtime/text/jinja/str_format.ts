/** str.format(): fields in braces, looked up as the sandbox allows. */
import { checkText, JinjaError, valueError } from './errors.js';
import { format } from './format_spec.js';
import { repr, str, toHtml } from './print.js';
import { type Dict, type Keywords, Markup, plain, type Value } from './values.js';

/** How attributes and items of a field are found. */
export interface Lookup {
  attribute(value: Value, name: string): Value;
  item(value: Value, key: Value): Value;
}

interface Fields {
  readonly args: readonly Value[];
  readonly named: Keywords | Dict;
  readonly lookup: Lookup;
  /** Fields without a name count themselves. */
  next: number | 'named';
  readonly show: (text: string) => string;
}

export function formatText(
  template: string | Markup,
  args: readonly Value[],
  named: Keywords | Dict,
  lookup: Lookup,
): Value {
  const isHtml = template instanceof Markup;
  const show = isHtml ? (text: string) => toHtml(text) : (text: string) => text;
  const text = fill(plain(template), { args, named, lookup, next: 0, show }, 2);
  return isHtml ? new Markup(text) : text;
}

function fill(template: string, fields: Fields, depth: number): string {
  if (depth < 0) throw valueError('Max string recursion exceeded');
  let out = '';
  let at = 0;
  while (at < template.length) {
    const brace = template.slice(at).search(/[{}]/);
    if (brace < 0) return out + template.slice(at);
    out += template.slice(at, at + brace);
    at += brace;
    if (template[at + 1] === template[at]) {
      out += template[at];
      at += 2;
      continue;
    }
    if (template[at] === '}') throw valueError("Single '}' encountered in format string");
    const end = closing(template, at);
    out += field(template.slice(at + 1, end), fields, depth);
    checkText(out.length);
    at = end + 1;
  }
  return out;
}

function closing(template: string, start: number): number {
  let open = 0;
  let inIndex = false;
  for (let i = start; i < template.length; i++) {
    const character = template[i];
    if (open === 1 && character === '[') inIndex = true;
    else if (character === ']') inIndex = false;
    if (inIndex) continue;
    if (character === '{') open++;
    else if (character === '}' && --open === 0) return i;
  }
  throw valueError(
    template.length === start + 1 ? "Single '{' encountered in format string" : "expected '}' before end of string",
  );
}

function field(source: string, fields: Fields, depth: number): string {
  const match = /^((?:[^[\]!:]|\[[^\]]*\])*)(?:!(.?))?(?::(.*))?$/su.exec(source);
  if (!match) throw valueError(`expected ':' after conversion specifier`);
  const [, path = '', conversion, spec = ''] = match;
  const value = converted(resolve(path, fields), conversion);
  const shown = format(value, fill(spec, { ...fields, show: (text) => text }, depth - 1));
  return value instanceof Markup && fields.show('<') !== '<' ? shown : fields.show(shown);
}

function converted(value: Value, conversion: string | undefined): Value {
  if (conversion === undefined) return value;
  if (conversion === 's') return str(value);
  if (conversion === 'r') return repr(value);
  if (conversion === 'a') return repr(value).replace(/[^\0-\x7f]/gu, ascii);
  throw valueError(`Unknown conversion specifier ${conversion}`);
}

function ascii(character: string): string {
  const code = character.codePointAt(0)!;
  const [mark, digits] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8];
  return `\\${mark}${code.toString(16).padStart(digits as number, '0')}`;
}

function resolve(path: string, fields: Fields): Value {
  const [, first = '', rest = ''] = /^([^.[]*)(.*)$/s.exec(path)!;
  let value = named(first, fields);
  for (const { 1: attribute, 2: key } of rest.matchAll(/\.([^.[]*)|\[([^\]]*)\]|(.)/gs)) {
    if (attribute !== undefined && attribute !== '') value = fields.lookup.attribute(value, attribute);
    else if (key !== undefined && key !== '') value = fields.lookup.item(value, /^\d+$/.test(key) ? BigInt(key) : key);
    else throw valueError('Empty attribute in format string');
  }
  return value;
}

function named(name: string, fields: Fields): Value {
  const numbered = name === '' || /^\d+$/.test(name);
  if (!numbered) return keyed(name, fields.named);
  if (name === '') {
    if (fields.next === 'named')
      throw valueError('cannot switch from manual field specification to automatic field numbering');
    return positional(fields.next++, fields);
  }
  if (fields.next !== 0 && fields.next !== 'named')
    throw valueError('cannot switch from automatic field numbering to manual field specification');
  fields.next = 'named';
  return positional(Number(name), fields);
}

function positional(index: number, { args }: Fields): Value {
  if (index < args.length) return args[index]!;
  throw new JinjaError('IndexError', `Replacement index ${index} out of range for positional args tuple`);
}

function keyed(name: string, named: Keywords | Dict): Value {
  const found = named.get(name);
  if (found === undefined) throw new JinjaError('KeyError', repr(name));
  return found;
}
