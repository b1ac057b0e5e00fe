/** Attributes and items of values, as Jinja's immutable sandbox gives them. */
import { Methods } from './arguments.js';
import { sliceIndices } from './arithmetic.js';
import { equal } from './compare.js';
import { JinjaError, typeError, unsupported, valueError } from './errors.js';
import { iterate } from './iterate.js';
import { floatText, ratio, truncate } from './numbers.js';
import { repr } from './print.js';
import { formatText } from './str_format.js';
import { textMethod } from './string_methods.js';
import { cut } from './strings.js';
import {
  Builtin,
  characters,
  Dict,
  DictView,
  isText,
  Markup,
  Namespace,
  orElse,
  PyObject,
  plain,
  Range,
  sequence,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** What a class has of its own, with attributes that templates may read. */
export interface Attributes {
  attribute(name: string): Value | undefined;
}

/** `value.name`: the attribute, or else the item. */
export function getAttribute(value: Value, name: string): Value {
  const found = attribute(value, name);
  if (found !== undefined) return safe(value, name, found);
  return orElse(item(value, name), () => lacking(value, name));
}

/** `value[key]`: the item, or else the attribute. */
export function getItem(value: Value, key: Value): Value {
  const found = item(value, key);
  if (found !== undefined) return found;
  const owned = isText(key) ? attribute(value, plain(key)) : undefined;
  return owned === undefined ? lacking(value, key) : safe(value, plain(key as string | Markup), owned);
}

/** The attribute alone; undefined where there is none. */
export const hasAttribute = (value: Value, name: string): boolean => attribute(value, name) !== undefined;

function lacking(value: Value, key: Value): Undefined {
  const owner = value === null ? 'None' : `${typeName(value)} object`;
  if (isText(key)) return new Undefined(`'${owner}' has no attribute ${repr(plain(key))}`);
  return new Undefined(`${owner} has no element ${repr(key)}`);
}

/** Methods that change what they belong to. */
const CHANGING: Readonly<Record<string, readonly string[]>> = {
  dict: ['clear', 'pop', 'popitem', 'setdefault', 'update'],
  list: ['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove'],
};

function safe(value: Value, name: string, found: Value): Value {
  if (!name.startsWith('_') && !CHANGING[typeName(value)]?.includes(name)) return found;
  return new Undefined(`access to attribute ${repr(name)} of '${typeName(value)}' object is unsafe.`, 'SecurityError');
}

/** Of every object in Python. Templates get none of them, but they hide items of these names. */
const DUNDER =
  /^__(class|delattr|dir|doc|eq|format|ge|getattribute|getstate|gt|hash|init|init_subclass|le|lt|ne|new|reduce|reduce_ex|repr|setattr|sizeof|str|subclasshook)__$/;

function attribute(value: Value, name: string): Value | undefined {
  if (DUNDER.test(name)) return null;
  if (value instanceof Undefined) throw value.error();
  if (CHANGING[typeName(value)]?.includes(name)) return null;
  if (isText(value)) return textAttribute(value, name);
  if (Array.isArray(value)) return lists.of(value, value, name);
  if (typeof value === 'bigint' || typeof value === 'boolean') return integerAttribute(value, name);
  if (typeof value === 'number') return floatAttribute(value, name);
  if (value instanceof Tuple) return tupleAttribute(value, name);
  if (value instanceof Dict) return dicts.of(value, value, name);
  if (value instanceof Namespace) return value.attributes.get(name);
  if (value instanceof Range) return rangeAttribute(value, name);
  if (value instanceof DictView) return viewAttribute(name);
  return value instanceof PyObject && isOpen(value) ? value.attribute(name) : undefined;
}

const isOpen = (value: PyObject): value is PyObject & Attributes =>
  'attribute' in value && typeof value.attribute === 'function';

function textAttribute(value: string | Markup, name: string): Value | undefined {
  if (value instanceof Markup && ['escape', 'striptags', 'unescape'].includes(name))
    throw unsupported(`Markup.${name}`);
  if (name === 'format')
    return new Builtin(name, (args, keywords) => formatText(value, args, keywords, LOOKUP), { value });
  if (name !== 'format_map') return textMethod(value, name);
  return new Builtin(name, (args, keywords) => formatMap(value, args, keywords.size), { value });
}

function formatMap(value: string | Markup, args: readonly Value[], keywords: number): Value {
  if (keywords > 0) throw typeError('format_map() takes no keyword arguments');
  if (args.length !== 1) throw typeError(`format_map() takes exactly one argument (${args.length} given)`);
  const [named] = args;
  if (named instanceof Dict) return formatText(value, [], named, LOOKUP);
  throw unsupported('format_map() of what is no dict');
}

const LOOKUP = { attribute: getAttribute, item: getItem };

const bound = (value: Value | undefined, otherwise: number): number =>
  value === undefined ? otherwise : Number(value);

function position(items: readonly Value[], sought: Value, start: Value | undefined, stop: Value | undefined): bigint {
  const at = (given: number) => (given < 0 ? Math.max(given + items.length, 0) : given);
  const [from, to] = [at(bound(start, 0)), at(bound(stop, items.length))];
  const found = items.findIndex((candidate, i) => i >= from && i < to && equal(candidate, sought));
  if (found < 0) throw valueError(`${repr(sought)} is not in list`);
  return BigInt(found);
}

const occurrences = (items: readonly Value[], sought: Value): bigint =>
  BigInt(items.filter((candidate) => equal(candidate, sought)).length);

const lists = new Methods<Value[]>({
  copy: ['', (self) => [...self]],
  count: ['/ value', (self, value) => occurrences(self, value!)],
  index: ['/ value start= stop=', (self, value, start, stop) => position(self, value!, start, stop)],
});

const tuples = new Methods<Tuple>({
  count: ['/ value', (self, value) => occurrences(self.items, value!)],
  index: ['/ value start= stop=', (self, value, start, stop) => position(self.items, value!, start, stop)],
});

function tupleAttribute(value: Tuple, name: string): Value | undefined {
  const field = value.fields.indexOf(name);
  return field < 0 ? tuples.of(value, value, name) : value.items[field];
}

const dicts = new Methods<Dict>({
  copy: ['', (self) => new Dict(self.entries())],
  fromkeys: ['/ iterable value=', (_self, keys, value = null) => fromKeys(keys!, value)],
  get: ['/ key default=', (self, key, otherwise = null) => orElse(self.get(key!), () => otherwise)],
  items: ['', (self) => new DictView('items', self)],
  keys: ['', (self) => new DictView('keys', self)],
  values: ['', (self) => new DictView('values', self)],
});

function fromKeys(keys: Value, value: Value): Dict {
  const iterator = iterate(keys);
  return new Dict({
    [Symbol.iterator]: () => ({
      next: () => {
        const { done, value: key } = iterator.next();
        return done ? { done: true as const, value: undefined } : { value: [key, value] as const };
      },
    }),
  });
}

function rangeAttribute(value: Range, name: string): Value | undefined {
  if (name === 'start' || name === 'stop' || name === 'step') return value[name];
  return tuples.of(value, new Tuple([...value.items()]), name);
}

function viewAttribute(name: string): Value | undefined {
  if (name === 'isdisjoint' || name === 'mapping') throw unsupported(`dict_view.${name}`);
  return undefined;
}

const method = (name: string, self: Value, act: () => Value): Builtin =>
  new Builtin(
    name,
    (args, keywords) => {
      if (args.length + keywords.size > 0)
        throw typeError(`${name}() takes no arguments (${args.length + keywords.size} given)`);
      return act();
    },
    { value: self },
  );

function integerAttribute(value: bigint | boolean, name: string): Value | undefined {
  const whole = BigInt(value);
  const magnitude = whole < 0n ? -whole : whole;
  const binary = () => (magnitude === 0n ? '' : magnitude.toString(2));
  if (name === 'real' || name === 'numerator') return whole;
  if (name === 'imag') return 0n;
  if (name === 'denominator') return 1n;
  if (name === 'bit_length') return method(name, value, () => BigInt(binary().length));
  if (name === 'bit_count') return method(name, value, () => BigInt(binary().replaceAll('0', '').length));
  if (name === 'conjugate') return method(name, value, () => whole);
  if (name === 'as_integer_ratio') return method(name, value, () => new Tuple([whole, 1n]));
  if (name === 'to_bytes' || name === 'from_bytes') throw unsupported(`int.${name}`);
  return undefined;
}

function floatAttribute(value: number, name: string): Value | undefined {
  if (name === 'real') return value;
  if (name === 'imag') return 0;
  if (name === 'conjugate') return method(name, value, () => value);
  if (name === 'is_integer') return method(name, value, () => Number.isInteger(value));
  if (name === 'as_integer_ratio') return method(name, value, () => new Tuple(ratioOf(value)));
  if (name === 'hex' || name === 'fromhex') throw unsupported(`float.${name}`);
  return undefined;
}

function ratioOf(value: number): readonly [bigint, bigint] {
  if (Number.isFinite(value)) return ratio(value);
  truncate(value); // says what it is
  throw new JinjaError('ValueError', floatText(value));
}

/** The item; undefined where there is none or the value has none. */
function item(value: Value, key: Value): Value | undefined {
  if (value instanceof Undefined) throw value.error();
  if (value instanceof Dict) return isHashable(key) ? value.get(key) : undefined;
  if (typeof key !== 'bigint' && typeof key !== 'boolean') return undefined;
  const at = Number(key);
  const items = sequence(value);
  if (items) return items.at(at < -items.length ? items.length : at);
  if (isText(value)) {
    const all = characters(plain(value));
    const found = at < -all.length ? undefined : all[at < 0 ? at + all.length : at];
    return found === undefined || typeof value === 'string' ? found : new Markup(found);
  }
  if (!(value instanceof Range)) return undefined;
  const index = at < 0 ? BigInt(key) + value.length : BigInt(key);
  return index >= 0n && index < value.length ? value.at(index) : undefined;
}

function isHashable(key: Value): boolean {
  if (Array.isArray(key) || key instanceof Dict || key instanceof DictView) return false;
  return !(key instanceof Tuple) || key.items.every(isHashable);
}

/** `value[start:stop:step]`. */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  if (value instanceof Undefined) throw value.error();
  if (typeof value === 'string') return sliceText(value, start, stop, step);
  if (value instanceof Markup) return new Markup(sliceText(value.text, start, stop, step));
  const items = sequence(value);
  if (items) {
    const cut = sliceIndices(items.length, start, stop, step).map((i) => items[i]!);
    return Array.isArray(value) ? cut : new Tuple(cut);
  }
  if (value instanceof Range) return sliceRange(value, start, stop, step);
  if (value instanceof Dict) throw typeError("unhashable type: 'slice'");
  throw typeError(`'${typeName(value)}' object is not subscriptable`);
}

function sliceText(value: string, start: Value, stop: Value, step: Value): string {
  const all = characters(value);
  const indices = sliceIndices(all.length, start, stop, step);
  if (step === null || step === 1n) return indices.length === 0 ? '' : cut(all, indices[0]!, indices.at(-1)! + 1);
  return indices.map((i) => all[i]).join('');
}

function sliceRange(value: Range, start: Value, stop: Value, step: Value): Range {
  const indices = sliceIndices(Number(value.length), start, stop, step);
  const by = value.step * (step === null ? 1n : BigInt(step as bigint));
  if (indices.length === 0) return new Range(value.start, value.start, by);
  const first = value.at(BigInt(indices[0]!));
  return new Range(first, value.at(BigInt(indices.at(-1)!)) + by, by);
}
