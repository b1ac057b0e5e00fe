/** What the methods and filters of texts compute, as Python does. */
import { count } from './arguments.js';
import { checkText, typeError, unsupported, valueError } from './errors.js';
import * as unicode from './unicode.js';
import { characters, Dict, isText, plain, Tuple, typeName, type Value } from './values.js';

export type Optional = Value | undefined;

export function text(value: Optional, what = 'argument'): string {
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
export const times = (value: Optional): number => {
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

export function split(value: string, by: Optional, max: Optional): string[] {
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

export function rsplit(value: string, by: Optional, max: Optional): string[] {
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

export function find(value: string, part: Optional, start: Optional, end: Optional, last = false): number {
  const sought = text(part);
  const { part: within, offset, isEmpty } = window(value, start, end);
  const at = isEmpty ? -1 : last ? within.lastIndexOf(sought) : within.indexOf(sought);
  return at < 0 ? -1 : offset + characters(within.slice(0, at)).length;
}

export function index(at: number): bigint {
  if (at < 0) throw valueError('substring not found');
  return BigInt(at);
}

export function occurrences(value: string, part: Optional, start: Optional, end: Optional): bigint {
  const sought = text(part);
  const { part: within, isEmpty } = window(value, start, end);
  if (isEmpty) return 0n;
  return BigInt(sought === '' ? characters(within).length + 1 : within.split(sought).length - 1);
}

export function affix(
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

export function pad(
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

export function zfill(value: string, width: Optional): string {
  const missing = Math.max(count(width!) - characters(value).length, 0);
  checkText(value.length + missing);
  const sign = /^[+-]/.test(value) ? value[0]! : '';
  return sign + '0'.repeat(missing) + value.slice(sign.length);
}

export function expandTabs(value: string, size: Optional): string {
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

export function partition(value: string, by: Optional, last: boolean): string[] {
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

export function item(part: Value, i: number): string {
  if (isText(part)) return plain(part);
  throw typeError(`sequence item ${i}: expected str instance, ${typeName(part)} found`);
}

export function table(from: Optional, to: Optional, without: Optional): Value {
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

export function translate(value: string, by: Optional): string {
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
