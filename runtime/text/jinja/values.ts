/**
 * Python's values in JavaScript: an int is a bigint, a float a number, a str a string, a list an array, None null. What has no
 * counterpart is a class below. Lists and dicts never change once a template sees them: the sandbox has no way to.
 */
import { JinjaError, typeError } from './errors.js';

export type Value = null | boolean | bigint | number | string | Value[] | PyObject;
export type Keywords = ReadonlyMap<string, Value>;

export abstract class PyObject {
  /** Of its Python class. */
  abstract readonly typeName: string;
}

export class Tuple extends PyObject {
  readonly typeName: string = 'tuple';
  constructor(
    readonly items: readonly Value[],
    /** Names of the items, where it is a named tuple. */
    readonly fields: readonly string[] = [],
  ) {
    super();
  }
}

/** What a hash table finds a key by: equal for keys that are equal, 1 and 1.0 and True among them. */
type Hash = string | number | bigint | object | null;

export class Dict extends PyObject {
  readonly typeName = 'dict';
  readonly #entries = new Map<Hash, readonly [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    super();
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Undefined where the key is not there. Errors: TypeError for a key that cannot be one. */
  get(key: Value): Value | undefined {
    return this.#entries.get(hash(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#entries.has(hash(key));
  }

  /** A key that is there keeps its place and its spelling. */
  set(key: Value, value: Value): void {
    const at = hash(key);
    this.#entries.set(at, [this.#entries.has(at) ? this.#entries.get(at)![0] : key, value]);
  }

  entries(): IterableIterator<readonly [Value, Value]> {
    return this.#entries.values();
  }

  *keys(): Generator<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }

  *values(): Generator<Value> {
    for (const [, value] of this.#entries.values()) yield value;
  }
}

/** What keys(), values() and items() of a dict give. */
export class DictView extends PyObject {
  constructor(
    readonly of: 'keys' | 'values' | 'items',
    readonly dict: Dict,
  ) {
    super();
  }
  get typeName(): string {
    return `dict_${this.of}`;
  }
  *items(): Generator<Value> {
    if (this.of === 'keys') yield* this.dict.keys();
    else if (this.of === 'values') yield* this.dict.values();
    else for (const entry of this.dict.entries()) yield new Tuple(entry);
  }
}

export class Range extends PyObject {
  readonly typeName = 'range';
  readonly length: bigint;
  constructor(
    readonly start: bigint,
    readonly stop: bigint,
    readonly step: bigint,
  ) {
    super();
    const span = step > 0n ? stop - start : start - stop;
    const stride = step > 0n ? step : -step;
    this.length = span > 0n ? (span + stride - 1n) / stride : 0n;
  }
  at(index: bigint): bigint {
    return this.start + index * this.step;
  }
  *items(): Generator<bigint> {
    for (let i = 0n; i < this.length; i++) yield this.at(i);
  }
}

/** What can be gone through once: what map, select and their like give. */
export class Once extends PyObject {
  /** `what`: of a generator also the name of its function. */
  constructor(
    private readonly what: string,
    readonly iterator: Iterator<Value>,
  ) {
    super();
  }
  get typeName(): string {
    return this.what.split(' ')[0]!;
  }
  /** As Python prints it, without where it lies. */
  get title(): string {
    const [name, made] = this.what.split(' ');
    return made === undefined ? `${name} object` : `${name} object ${made}`;
  }
}

/** A text that is HTML already: what `safe` and `escape` give. Other texts are escaped when they are joined to it. */
export class Markup extends PyObject {
  readonly typeName = 'Markup';
  constructor(readonly text: string) {
    super();
  }
}

/** A name or an attribute that is not there. It prints as nothing; most else that is done with it fails with `message`. */
export class Undefined extends PyObject {
  readonly typeName = 'Undefined';
  constructor(
    readonly message: string,
    readonly kind: 'UndefinedError' | 'SecurityError' = 'UndefinedError',
  ) {
    super();
  }
  error(): JinjaError {
    return new JinjaError(this.kind, this.message);
  }
}

export abstract class Callable extends PyObject {
  abstract readonly name: string;
  abstract call(args: readonly Value[], keywords: Keywords): Value;
}

/** A function of Python's or Jinja's own, or a method of a value. */
export class Builtin extends Callable {
  readonly typeName = 'builtin_function_or_method';
  constructor(
    readonly name: string,
    readonly act: (args: readonly Value[], keywords: Keywords) => Value,
    /** Of which it is a method. */
    readonly self?: { readonly value: Value },
  ) {
    super();
  }
  override call(args: readonly Value[], keywords: Keywords): Value {
    return this.act(args, keywords);
  }
}

export class Namespace extends PyObject {
  readonly typeName = 'Namespace';
  constructor(readonly attributes: Dict) {
    super();
  }
}

/** The value, or what is put in its place where there is none. None is a value. */
export const orElse = <T>(value: T | undefined, otherwise: () => T): T => (value === undefined ? otherwise() : value);

export function isText(value: Value): value is string | Markup {
  return typeof value === 'string' || value instanceof Markup;
}

/** The characters of a text. */
export const plain = (value: string | Markup): string => (typeof value === 'string' ? value : value.text);

/** The items of a list or tuple. */
export function sequence(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value;
  return value instanceof Tuple ? value.items : undefined;
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (value instanceof PyObject) return value.typeName;
  return { boolean: 'bool', bigint: 'int', number: 'float', string: 'str' }[typeof value as string]!;
}

export function isTrue(value: Value): boolean {
  if (typeof value !== 'object') return value && !Number.isNaN(value) ? true : Number.isNaN(value as number);
  if (value === null || value instanceof Undefined) return false;
  const size = length(value);
  return size === undefined || size > 0;
}

/** len(); undefined for what has none. Of texts the characters, not UTF-16 units. */
export function length(value: Value): number | undefined {
  if (typeof value === 'string') return characters(value).length;
  if (value === null || typeof value !== 'object') return undefined;
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Markup) return characters(value.text).length;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Range) return Number(value.length);
  if (value instanceof Undefined) return 0;
  return 'length' in value && typeof value.length === 'number' ? value.length : undefined;
}

const SURROGATE = /[\ud800-\udfff]/;

/** A text by its characters, as Python counts them. */
export function characters(text: string): string | readonly string[] {
  return SURROGATE.test(text) ? [...text] : text;
}

function hash(key: Value): Hash {
  if (typeof key === 'string') return key;
  if (key === null) return null;
  if (typeof key === 'boolean') return Number(key);
  if (typeof key === 'bigint') return Number.isSafeInteger(Number(key)) ? Number(key) : key;
  if (typeof key === 'number') return Number.isInteger(key) && !Number.isSafeInteger(key) ? BigInt(key) : key;
  if (key instanceof Tuple) return `\0(${key.items.map((item) => tagged(hash(item))).join(',')})`;
  if (key instanceof Markup) return key.text;
  if (key instanceof Undefined) return Undefined;
  if (key instanceof Range) return `\0range ${key.length && key.start} ${key.length} ${key.length > 1n && key.step}`;
  if (Array.isArray(key) || key instanceof Dict || key instanceof DictView)
    throw typeError(`unhashable type: '${typeName(key)}'`);
  return key;
}

/** Numbers for objects that are keys inside of tuples. */
const identities = new WeakMap<object, number>();
let identity = 0;

function tagged(part: Hash): string {
  if (typeof part === 'string') return JSON.stringify(part);
  if (typeof part !== 'object' || part === null) return typeof part === 'function' ? 'undefined' : String(part);
  if (!identities.has(part)) identities.set(part, identity++);
  return `object ${identities.get(part)}`;
}
