/** The methods of Python's str. A text that is HTML gives HTML, and escapes what it is given. */
import { bind, count, Methods, type Signature } from './arguments.js';
import { checkItems, checkText, typeError, unsupported, valueError } from './errors.js';
import { list } from './iterate.js';
import { toHtml } from './print.js';
import * as unicode from './unicode.js';
import { Builtin, characters, Dict, isText, Markup, plain, sequence, Tuple, typeName, type Value } from './values.js';

type Optional = Value | undefined;

function text(value: Optional, what = 'argument'): string {
  if (value !== undefined && isText(value)) return plain(value);
  throw typeError(`${what} must be str, not ${typeName(value ?? null)}`);
}

/** Characters to take off; none means white space. */
const set = (value: Optional): ReadonlySet<string> | undefined =>
  value === undefined || value === null ? undefined : new Set(text(value, 'strip arg'));

export function stripText(value: string, chars: Optional, sides: 'both' | 'left' | 'right' = 'both'): string {
  const taken = set(chars);
  if (!taken) return { both: unicode.strip, left: unicode.stripStart, right: unicode.stripEnd }[sides](value);
  const all = characters(value);
  let [start, end] = [0, all.length];
  if (sides !== 'right') while (start < end && taken.has(all[start]!)) start++;
  if (sides !== 'left') while (end > start && taken.has(all[end - 1]!)) end--;
  return cut(all, start, end);
}

/** Some of the characters, as a text. */
export const cut = (all: string | readonly string[], start: number, end: number): string =>
  typeof all === 'string' ? all.slice(start, end) : all.slice(start, end).join('');

/** A count of times that may be left out or negative: as often as there are. */
const times = (value: Optional): number => {
  const given = value === undefined ? -1 : count(value);
  return given < 0 ? Number.POSITIVE_INFINITY : given;
};

export function replace(value: string, old: string, to: string, limit: number): string {
  const pieces = old === '' ? [...value] : value.split(old);
  const places = Math.min(old === '' ? pieces.length + 1 : pieces.length - 1, limit);
  checkText(value.length + places * to.length);
  if (old !== '' && places === pieces.length - 1) return pieces.join(to);
  if (old === '')
    return pieces.map((piece, i) => (i < places ? to + piece : piece)).join('') + (places > pieces.length ? to : '');
  return [pieces.slice(0, places + 1).join(to), ...pieces.slice(places + 1)].join(old);
}

function split(value: string, by: Optional, max: Optional): string[] {
  const limit = times(max);
  if (by === undefined || by === null) return unicode.splitSpace(value, limit);
  const mark = separator(by);
  const pieces = value.split(mark);
  return pieces.length - 1 <= limit ? pieces : [...pieces.slice(0, limit), pieces.slice(limit).join(mark)];
}

function separator(value: Value): string {
  const mark = text(value, 'sep');
  if (mark === '') throw valueError('empty separator');
  return mark;
}

function rsplit(value: string, by: Optional, max: Optional): string[] {
  const limit = times(max);
  if (by === undefined || by === null) {
    const turned = (s: string) => [...s].reverse().join('');
    return limit === Number.POSITIVE_INFINITY
      ? unicode.splitSpace(value, limit)
      : unicode.splitSpace(turned(value), limit).map(turned).reverse();
  }
  const mark = separator(by);
  const pieces: string[] = [];
  let end = value.length;
  while (pieces.length < limit) {
    const at = end < mark.length ? -1 : value.lastIndexOf(mark, end - mark.length);
    if (at < 0) break;
    pieces.unshift(value.slice(at + mark.length, end));
    end = at;
  }
  return [value.slice(0, end), ...pieces];
}

/** A part of a text by its characters, with what to add to places in it. */
function window(value: string, start: Optional, end: Optional): { part: string; offset: number; isEmpty: boolean } {
  if ((start === undefined || start === null) && (end === undefined || end === null))
    return { part: value, offset: 0, isEmpty: false };
  const all = characters(value);
  const bound = (given: Optional, otherwise: number) => {
    const at = given === undefined || given === null ? otherwise : count(given);
    return at < 0 ? Math.max(at + all.length, 0) : at;
  };
  const [from, to] = [bound(start, 0), Math.min(bound(end, all.length), all.length)];
  return { part: cut(all, from, Math.max(to, from)), offset: from, isEmpty: from > to };
}

function find(value: string, part: Optional, start: Optional, end: Optional, last = false): number {
  const sought = text(part);
  const { part: within, offset, isEmpty } = window(value, start, end);
  const at = isEmpty ? -1 : last ? within.lastIndexOf(sought) : within.indexOf(sought);
  return at < 0 ? -1 : offset + characters(within.slice(0, at)).length;
}

function index(at: number): bigint {
  if (at < 0) throw valueError('substring not found');
  return BigInt(at);
}

function occurrences(value: string, part: Optional, start: Optional, end: Optional): bigint {
  const sought = text(part);
  const { part: within, isEmpty } = window(value, start, end);
  if (isEmpty) return 0n;
  return BigInt(sought === '' ? characters(within).length + 1 : within.split(sought).length - 1);
}

function affix(
  value: string,
  given: Optional,
  start: Optional,
  end: Optional,
  name: 'startsWith' | 'endsWith',
): boolean {
  const { part, isEmpty } = window(value, start, end);
  const one = (affixed: Value) => {
    if (!isText(affixed))
      throw typeError(`${name.toLowerCase()} first arg must be str or a tuple of str, not ${typeName(affixed)}`);
    return !isEmpty && part[name](plain(affixed));
  };
  return given instanceof Tuple ? given.items.some(one) : one(given!);
}

function pad(
  value: string,
  width: Optional,
  fill: Optional,
  share: (missing: number, width: number) => number,
): string {
  const filler = fill === undefined ? ' ' : text(fill, 'fill character');
  if (characters(filler).length !== 1) throw typeError('The fill character must be exactly one character long');
  const size = count(width!);
  const missing = Math.max(size - characters(value).length, 0);
  checkText(value.length + missing);
  const left = share(missing, size);
  return filler.repeat(left) + value + filler.repeat(missing - left);
}

/** Python gives the odd space to the left where the width is odd, too. */
export const center = (missing: number, width: number): number => Math.floor(missing / 2) + (missing & width & 1);

function zfill(value: string, width: Optional): string {
  const missing = Math.max(count(width!) - characters(value).length, 0);
  checkText(value.length + missing);
  const sign = /^[+-]/.test(value) ? value[0]! : '';
  return sign + '0'.repeat(missing) + value.slice(sign.length);
}

function expandTabs(value: string, size: Optional): string {
  const width = size === undefined ? 8 : Math.max(count(size), 0);
  checkText(value.length + (value.split('\t').length - 1) * width);
  let column = 0;
  let out = '';
  for (const character of value) {
    const spaces = width === 0 ? 0 : width - (column % width);
    out += character === '\t' ? ' '.repeat(spaces) : character;
    column = character === '\n' || character === '\r' ? 0 : column + (character === '\t' ? spaces : 1);
  }
  return out;
}

function partition(value: string, by: Optional, last: boolean): string[] {
  const mark = separator(by!);
  const at = last ? value.lastIndexOf(mark) : value.indexOf(mark);
  if (at < 0) return last ? ['', '', value] : [value, '', ''];
  return [value.slice(0, at), mark, value.slice(at + mark.length)];
}

/** Items are joined as they come; each must be a text. */
export function joinTexts(mark: string, parts: readonly Value[], show: (value: Value, i: number) => string): string {
  let length = 0;
  const shown = parts.map((part, i) => {
    const piece = show(part, i);
    length += piece.length + mark.length;
    checkText(length);
    return piece;
  });
  return shown.join(mark);
}

function item(part: Value, i: number): string {
  if (isText(part)) return plain(part);
  throw typeError(`sequence item ${i}: expected str instance, ${typeName(part)} found`);
}

function table(from: Optional, to: Optional, without: Optional): Value {
  if (to === undefined) {
    if (!(from instanceof Dict)) throw typeError('if you give only one argument to maketrans it must be a dict');
    const key = (value: Value): Value => (isText(value) ? BigInt(plain(value).codePointAt(0)!) : value);
    return new Dict([...from.entries()].map(([name, value]) => [key(name), value]));
  }
  const [sources, targets] = [[...text(from)], [...text(to)]];
  if (sources.length !== targets.length) throw valueError('the first two maketrans arguments must have equal length');
  const code = (character: string) => BigInt(character.codePointAt(0)!);
  const made = new Dict(sources.map((source, i) => [code(source), code(targets[i]!)]));
  for (const character of without === undefined ? '' : text(without)) made.set(code(character), null);
  return made;
}

function translate(value: string, by: Optional): string {
  if (!(by instanceof Dict)) throw unsupported('translate() by what is no dict');
  let out = '';
  for (const character of value) {
    const to = by.get(BigInt(character.codePointAt(0)!));
    if (to === undefined) out += character;
    else if (to !== null) out += typeof to === 'bigint' ? String.fromCodePoint(Number(to)) : text(to);
    checkText(out.length);
  }
  return out;
}

type TextMethod = (self: string, ...args: Optional[]) => string;
type OtherMethod = (self: string, ...args: Optional[]) => Value;

const flag = (test: (value: string) => boolean): [Signature, OtherMethod] => ['', (self) => test(self)];
const change = (act: (value: string) => string): [Signature, TextMethod] => ['', (self) => act(self)];

/** Those that give a text. */
const TEXT: Readonly<Record<string, readonly [Signature, TextMethod]>> = {
  capitalize: change(unicode.capitalize),
  casefold: change((value) => value.replaceAll('ß', 'ss').replaceAll('ς', 'σ').toLowerCase()),
  center: ['/ width fill=', (self, width, fill) => pad(self, width, fill, center)],
  expandtabs: ['tabsize=', expandTabs],
  ljust: ['/ width fill=', (self, width, fill) => pad(self, width, fill, () => 0)],
  lower: change((value) => value.toLowerCase()),
  lstrip: ['/ chars=', (self, chars) => stripText(self, chars, 'left')],
  removeprefix: ['/ prefix', (self, part) => (self.startsWith(text(part)) ? self.slice(text(part).length) : self)],
  removesuffix: [
    '/ suffix',
    (self, part) => (text(part) !== '' && self.endsWith(text(part)) ? self.slice(0, -text(part).length) : self),
  ],
  replace: ['/ old new count=', (self, old, to, max) => replace(self, text(old), text(to), times(max))],
  rjust: ['/ width fill=', (self, width, fill) => pad(self, width, fill, (missing) => missing)],
  rstrip: ['/ chars=', (self, chars) => stripText(self, chars, 'right')],
  strip: ['/ chars=', (self, chars) => stripText(self, chars)],
  swapcase: change(unicode.swapcase),
  title: change(unicode.titlecase),
  translate: ['/ table', translate],
  upper: change((value) => value.toUpperCase()),
  zfill: ['/ width', zfill],
};

/** Those that give several texts. */
const LISTS: Readonly<Record<string, readonly [Signature, (self: string, ...args: Optional[]) => string[]]>> = {
  partition: ['/ sep', (self, by) => partition(self, by, false)],
  rpartition: ['/ sep', (self, by) => partition(self, by, true)],
  rsplit: ['sep= maxsplit=', rsplit],
  split: ['sep= maxsplit=', split],
  splitlines: ['keepends=', (self, keep) => unicode.splitLines(self, keep !== undefined && Boolean(keep))],
};

const OTHER: Readonly<Record<string, readonly [Signature, OtherMethod]>> = {
  count: ['/ sub start= end=', occurrences],
  endswith: ['/ suffix start= end=', (self, part, start, end) => affix(self, part, start, end, 'endsWith')],
  find: ['/ sub start= end=', (self, ...args) => BigInt(find(self, args[0], args[1], args[2]))],
  index: ['/ sub start= end=', (self, ...args) => index(find(self, args[0], args[1], args[2]))],
  isalnum: flag(unicode.isAlnum),
  isalpha: flag(unicode.isAlpha),
  isascii: flag((value) => !/[^\0-\x7f]/.test(value)),
  isdecimal: flag(unicode.isDecimal),
  isdigit: flag(unicode.isDigit),
  isidentifier: flag(unicode.isIdentifier),
  islower: flag(unicode.isLower),
  isnumeric: flag(unicode.isNumeric),
  isprintable: flag(unicode.isPrintable),
  isspace: flag(unicode.isSpace),
  istitle: flag(unicode.isTitle),
  isupper: flag(unicode.isUpper),
  maketrans: ['/ x y= z=', (_self, from, to, without) => table(from, to, without)],
  rfind: ['/ sub start= end=', (self, ...args) => BigInt(find(self, args[0], args[1], args[2], true))],
  rindex: ['/ sub start= end=', (self, ...args) => index(find(self, args[0], args[1], args[2], true))],
  startswith: ['/ prefix start= end=', (self, part, start, end) => affix(self, part, start, end, 'startsWith')],
};

const others = new Methods<string>(OTHER);

/** A method of a text, without format and format_map, which look things up. */
export function textMethod(owner: string | Markup, name: string): Builtin | undefined {
  const self = plain(owner);
  const wrap = (value: string): Value => (typeof owner === 'string' ? value : new Markup(value));
  const made = Object.hasOwn(TEXT, name) ? TEXT[name] : undefined;
  if (made)
    return method(name, made[0], owner, (args) =>
      wrap(made[1](self, ...(name === 'replace' ? escaping(owner, args) : args))),
    );
  const many = Object.hasOwn(LISTS, name) ? LISTS[name] : undefined;
  if (many) return method(name, many[0], owner, (args) => grouped(name, many[1](self, ...args).map(wrap)));
  if (name === 'join') return method(name, '/ iterable', owner, ([parts]) => wrap(joined(owner, parts!)));
  if (name === 'encode') throw unsupported('str.encode');
  return others.of(owner, self, name);
}

function method(name: string, signature: Signature, owner: Value, act: (args: Optional[]) => Value): Builtin {
  return new Builtin(name, (args, keywords) => act(bind(name, signature, args, keywords)), { value: owner });
}

/** What is put into HTML is escaped. */
const escaping = (owner: Value, [old, to, ...more]: Optional[]): Optional[] =>
  typeof owner === 'string' ? [old, to, ...more] : [old, toHtml(to ?? null), ...more];

function grouped(name: string, parts: Value[]): Value {
  checkItems(parts.length);
  return name.endsWith('partition') ? new Tuple(parts) : parts;
}

const joined = (owner: string | Markup, parts: Value): string =>
  joinTexts(plain(owner), sequence(parts) ?? list(parts), typeof owner === 'string' ? item : toHtml);
