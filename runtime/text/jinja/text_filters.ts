/** Filters that make texts. */
import { bind, count, integer, NO_KEYWORDS, type Signature } from './arguments.js';
import { add, OPERATIONS, sliceIndices } from './arithmetic.js';
import { checkText, JinjaError, typeError, unsupported, valueError } from './errors.js';
import { isIterable, list, unpack } from './iterate.js';
import { tojson } from './json.js';
import { parseFloatText, toFloat } from './numbers.js';
import { percent } from './percent.js';
import { repr, str, toHtml } from './print.js';
import { textMethod } from './string_methods.js';
import { replace, stripText } from './strings.js';
import { SPACES, splitLines } from './unicode.js';
import {
  characters,
  Dict,
  isText,
  isTrue,
  type Keywords,
  length,
  Markup,
  plain,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export type Filter = (args: readonly Value[], keywords: Keywords) => Value;
type Optional = Value | undefined;

/** A filter with parameters, the first of which is the value. */
export const filter = (name: string, signature: Signature, act: (...args: Optional[]) => Value): [string, Filter] => [
  name,
  (args, keywords) => act(...bind(name, signature, args, keywords)),
];

/** The value as a text; one that is HTML stays that. */
export const soft = (value: Optional): string | Markup => (isText(value!) ? value : str(value!));

/** A method of the value's text. */
const method = (value: Optional, name: string, ...args: Value[]): Value =>
  textMethod(soft(value), name)!.call(args, NO_KEYWORDS);

function need(value: Optional): string {
  if (value !== undefined && isText(value)) return plain(value);
  if (value instanceof Undefined) throw value.error();
  throw typeError(`expected a str, found ${typeName(value ?? null)}`);
}

function title(value: Optional): string {
  const words = plain(soft(value)).split(new RegExp(`((?:[-({[<]|${SPACES})+)`));
  return words
    .map((word) => {
      const [first = ''] = word;
      return first.toUpperCase() + word.slice(first.length).toLowerCase();
    })
    .join('');
}

function indent(value: Optional, width: Value = 4n, first: Value = false, blank: Value = false): Value {
  const indention = isText(width) ? plain(width) : (OPERATIONS['*']!(' ', width) as string);
  const made = (text: string): Value => (value instanceof Markup ? new Markup(text) : text);
  const lines = splitLines(plain(add(value!, '\n') as string | Markup));
  const by = indention;
  checkText(plain(value as string).length + lines.length * by.length);
  const rest = lines.slice(1).map((line) => (isTrue(blank) || line !== '' ? by + line : line));
  return made((isTrue(first) ? by : '') + [lines[0], ...rest].join('\n'));
}

function truncate(
  value: Optional,
  longest: Value = 255n,
  killWords: Value = false,
  end: Value = '...',
  leeway: Value = null,
): Value {
  const size = length(value!);
  if (size === undefined) throw typeError(`object of type '${typeName(value!)}' has no len()`);
  const tail = need(end);
  const [most, spare] = [count(longest), leeway === null ? 5 : count(leeway)];
  if (most < characters(tail).length)
    throw new JinjaError('AssertionError', `expected length >= ${characters(tail).length}, got ${most}`);
  if (spare < 0) throw new JinjaError('AssertionError', `expected leeway >= 0, got ${spare}`);
  if (size <= most + spare) return value!;
  const all = characters(need(value));
  const cut = [...all.slice(0, most - characters(tail).length)].join('');
  const at = cut.lastIndexOf(' ');
  const kept = isTrue(killWords) || at < 0 ? cut : cut.slice(0, at);
  return value instanceof Markup ? add(new Markup(kept), end) : kept + tail;
}

function strip(value: Optional, chars: Value = null): Value {
  const text = soft(value);
  const stripped = stripText(plain(text), chars);
  return typeof text === 'string' ? stripped : new Markup(stripped);
}

const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];

function fileSize(value: Optional, binary: Value = false): string {
  const bytes = number(value!);
  const base = isTrue(binary) ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const at = UNITS.findIndex((_, i) => bytes < base ** (i + 2));
  const power = at < 0 ? UNITS.length - 1 : at;
  const unit = isTrue(binary) ? `${UNITS[power]![0]!.toUpperCase()}iB` : UNITS[power];
  return `${percent('%.1f', new Tuple([(base * bytes) / base ** (power + 2)]))} ${unit}`;
}

function number(value: Value): number {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return toFloat(value);
  const read = isText(value) ? parseFloatText(plain(value)) : undefined;
  if (read !== undefined) return read;
  if (value instanceof Undefined) throw value.error();
  throw valueError(`could not convert ${repr(value)} to float`);
}

/** Quoted for a URL; in a query a space is a plus and a slash is quoted, too. */
function quote(value: Value, isQuery: boolean): string {
  const quoted = encodeURIComponent(str(value)).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return isQuery ? quoted.replaceAll('%20', '+') : quoted.replaceAll('%2F', '/');
}

function urlEncode(value: Optional): string {
  if (isText(value!) || !isIterable(value!)) return quote(value!, false);
  const entries = value instanceof Dict ? [...value.entries()] : list(value!).map((pair) => unpack(pair, 2));
  return entries.map(([name, part]) => `${quote(name!, true)}=${quote(part!, true)}`).join('&');
}

function xmlAttributes(value: Optional, space: Value = true): string {
  if (!(value instanceof Dict)) throw typeError(`expected a dict, found ${typeName(value!)}`);
  const shown: string[] = [];
  for (const [key, part] of value.entries()) {
    if (part === null || part instanceof Undefined) continue;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII's white space, as Jinja2 has it
    if (/[\t-\r \x1c-\x1f/>=]/.test(need(key)) && /[\t-\r />=]/.test(need(key)))
      throw valueError(`Invalid character in attribute name: ${repr(key)}`);
    shown.push(`${toHtml(key)}="${toHtml(part)}"`);
  }
  return shown.length > 0 && isTrue(space) ? ` ${shown.join(' ')}` : shown.join(' ');
}

const NAMED_ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\xa0' };

function stripTags(value: Optional): string {
  let text = str(value!);
  for (const [open, close] of [
    ['<!--', '-->'],
    ['<', '>'],
  ] as const)
    for (let at = text.indexOf(open); at >= 0; at = text.indexOf(open)) {
      const end = text.indexOf(close, at);
      if (end < 0) break;
      text = text.slice(0, at) + text.slice(end + close.length);
    }
  const words = text.split(new RegExp(`${SPACES}+`)).filter((word) => word !== '');
  return words.join(' ').replace(/&(#\d+|#[xX][\da-fA-F]+|\w+);?/g, (whole, name: string) => {
    if (Object.hasOwn(NAMED_ENTITIES, name) && whole.endsWith(';')) return NAMED_ENTITIES[name]!;
    throw unsupported(`the entity ${whole} in striptags`);
  });
}

function pretty(value: Optional): string {
  const shown = repr(sortedKeys(value!));
  if (shown.length > 80 && !isNumberOrNone(value!)) throw unsupported('pprint of what is longer than a line');
  return shown;
}

const isNumberOrNone = (value: Value): boolean => value === null || typeof value !== 'object';

function sortedKeys(value: Value): Value {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (value instanceof Tuple) return new Tuple(value.items.map(sortedKeys));
  if (!(value instanceof Dict)) return value;
  const keys = [...value.keys()];
  if (!keys.every((key) => typeof key === 'string')) throw unsupported('pprint of keys that are no str');
  return new Dict([...keys].sort().map((key) => [key, sortedKeys(value.get(key)!)]));
}

/** Words of a line: white space stays; a hyphen ends a word that letters surround. */
function chunks(text: string, onHyphens: boolean): string[] {
  const parts = text.split(/([\t\n\v\f\r ]+)/).filter((part) => part !== '');
  if (!onHyphens) return parts;
  return parts.flatMap((part) =>
    part.split(
      /(?<=[\p{L}\p{N}_!"'&.,?][\p{L}\p{N}_]*[\p{L}_]-)(?=[\p{L}_]{2})|(?<=[\p{L}\p{N}_!"'&.,?])(?=-{2,}[\p{L}\p{N}_])|(?<=-{2,})(?=[\p{L}\p{N}_])/u,
    ),
  );
}

function wrapLine(line: string, width: number, breaks: boolean, onHyphens: boolean): string[] {
  if (width <= 0) throw valueError(`invalid width ${width} (must be > 0)`);
  const rest = chunks(line, onHyphens).reverse();
  const lines: string[] = [];
  const isBlank = (part: string) => part.trim() === '';
  while (rest.length > 0) {
    const current: string[] = [];
    let size = 0;
    if (isBlank(rest.at(-1)!) && lines.length > 0) rest.pop();
    while (rest.length > 0 && size + characters(rest.at(-1)!).length <= width) {
      size += characters(rest.at(-1)!).length;
      current.push(rest.pop()!);
    }
    if (rest.length > 0 && characters(rest.at(-1)!).length > width) {
      const long = [...rest.pop()!];
      const space = breaks ? width - size : 0;
      if (breaks) {
        const hyphen = onHyphens && long.length > space ? long.slice(0, space).lastIndexOf('-') : -1;
        const end = hyphen > 0 && long.slice(0, hyphen).some((c) => c !== '-') ? hyphen + 1 : Math.max(space, 1);
        current.push(long.slice(0, end).join(''));
        rest.push(long.slice(end).join(''));
      } else if (current.length === 0) current.push(long.join(''));
      else rest.push(long.join(''));
    }
    if (current.length > 0 && isBlank(current.at(-1)!)) current.pop();
    if (current.length > 0) lines.push(current.join(''));
  }
  return lines;
}

function wordWrap(
  value: Optional,
  width: Value = 79n,
  breaks: Value = true,
  mark: Value = null,
  onHyphens: Value = true,
): string {
  const end = mark === null ? '\n' : need(mark);
  const wrapped = splitLines(need(value)).map((line) =>
    wrapLine(line, count(width), isTrue(breaks), isTrue(onHyphens)).join(end),
  );
  return wrapped.join(end);
}

function formatFilter(args: readonly Value[], keywords: Keywords): Value {
  const [format, ...values] = args;
  if (values.length > 0 && keywords.size > 0)
    throw new JinjaError('FilterArgumentError', "can't handle positional and keyword arguments at the same time");
  return OPERATIONS['%']!(soft(format), keywords.size > 0 ? new Dict(keywords) : new Tuple(values));
}

function reversedText(text: string): string {
  const all = characters(text);
  return sliceIndices(all.length, null, null, -1n)
    .map((i) => all[i])
    .join('');
}

export { reversedText };

const safe = (value: Optional): Value => new Markup(str(value!));

export const TEXT_FILTERS: readonly [string, Filter][] = [
  filter('capitalize', 's', (value) => method(value, 'capitalize')),
  filter('center', 'value width=', (value, width = 80n) => method(value, 'center', integer(width))),
  filter('e', 's', (value) => new Markup(toHtml(value!))),
  filter('escape', 's', (value) => new Markup(toHtml(value!))),
  filter('forceescape', 'value', (value) => new Markup(toHtml(str(value!)))),
  filter('filesizeformat', 'value binary=', fileSize),
  ['format', formatFilter],
  filter('indent', 's width= first= blank=', indent),
  filter('lower', 's', (value) => method(value, 'lower')),
  filter('pprint', 'value', pretty),
  filter('replace', 's old new count=', (value, old, to, max = null) =>
    replace(str(value!), str(old!), str(to!), max === null || count(max) < 0 ? Number.POSITIVE_INFINITY : count(max)),
  ),
  filter('safe', 'value', safe),
  filter('string', 's', soft),
  filter('striptags', 'value', stripTags),
  filter('title', 's', title),
  ['tojson', tojson],
  filter('trim', 'value chars=', strip),
  filter('truncate', 's length= killwords= end= leeway=', truncate),
  filter('upper', 's', (value) => method(value, 'upper')),
  filter('urlencode', 'value', urlEncode),
  filter('urlize', 'value trim_url_limit= nofollow= target= rel= extra_schemes=', () => {
    throw unsupported('the filter urlize');
  }),
  filter('wordcount', 's', (value) => BigInt(plain(soft(value)).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)),
  filter('wordwrap', 's width= break_long_words= wrapstring= break_on_hyphens=', wordWrap),
  filter('xmlattr', 'd autospace=', xmlAttributes),
];
