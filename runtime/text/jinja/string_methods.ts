/** The methods of Python's str by name. A text that is HTML gives HTML, and escapes what it is given. */
import { bind, Methods, type Signature } from './arguments.js';
import { checkItems, unsupported } from './errors.js';
import { list } from './iterate.js';
import { toHtml } from './print.js';
import {
  affix,
  center,
  expandTabs,
  find,
  index,
  item,
  joinTexts,
  type Optional,
  occurrences,
  pad,
  partition,
  replace,
  rsplit,
  split,
  stripText,
  table,
  text,
  times,
  translate,
  zfill,
} from './strings.js';
import * as unicode from './unicode.js';
import { Builtin, Markup, plain, sequence, Tuple, type Value } from './values.js';

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
