/** config.json, key by key: what nobody asked for is refused in the end, as it may change what the model computes. */
import { ModelFileError, UnsupportedError } from '../../common/errors.js';
import { quote } from '../../common/quote.js';
import { isObject, type Json, type JsonObject, kindOf } from '../json.js';
import { isOneOf, oneOf } from './rules.js';

const isFloat = (value: Json): value is number => typeof value === 'number' && Number.isFinite(Math.fround(value));

export class ConfigReader {
  readonly #asked = new Set<string>();

  constructor(
    /** Of config.json, for errors. */
    readonly path: string,
    private readonly values: JsonObject,
    /** "rope_parameters" for an object in config.json. */
    private readonly inside = '',
    /** What absent keys mean. */
    private readonly defaults: JsonObject = {},
  ) {}

  /** undefined for an absent key without a default, and for null. */
  get(key: string): Json | undefined {
    this.#asked.add(key);
    const from = Object.hasOwn(this.values, key) ? this.values : this.defaults;
    return Object.hasOwn(from, key) ? (from[key] ?? undefined) : undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number that float32 holds', (value) => (isFloat(value) ? value : undefined));
  }

  uint(key: string): number | undefined {
    const isUint = (value: Json): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.#typed(key, 'an unsigned integer', (value) => (isUint(value) ? value : undefined));
  }

  bool(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'a string', (value) => (typeof value === 'string' ? value : undefined));
  }

  numbers(key: string): readonly number[] | undefined {
    const areNumbers = (value: Json): value is number[] => Array.isArray(value) && value.every(isFloat);
    return this.#typed(key, 'a list of numbers that float32 holds', (value) => (areNumbers(value) ? value : undefined));
  }

  strings(key: string): readonly string[] | undefined {
    const areStrings = (value: Json): value is string[] =>
      Array.isArray(value) && value.every((item) => typeof item === 'string');
    return this.#typed(key, 'a list of strings', (value) => (areStrings(value) ? value : undefined));
  }

  /** An object in it, to be read and finished like this one. */
  object(key: string): ConfigReader | undefined {
    const value = this.#typed(key, 'an object', (value) => (isObject(value) ? value : undefined));
    return value && new ConfigReader(this.path, value, this.name(key));
  }

  /** The key as config.json has it, with what it is in. */
  name(key: string): string {
    return this.inside === '' ? key : `${this.inside}.${key}`;
  }

  require<T>(key: string, value: T | undefined): T {
    return value ?? this.fail(key, 'expected a value, found none');
  }

  fail(key: string, problem: string): never {
    throw new ModelFileError(this.path, `key ${quote(this.name(key))}`, problem);
  }

  /** Errors: UnsupportedError, unless the key is absent, null or one of these. */
  only(key: string, neutral: readonly Json[], feature: string): void {
    const value = this.get(key);
    if (value !== undefined && !isOneOf(value, neutral)) this.refuse(key, feature, oneOf(neutral));
  }

  refuse(key: string, feature: string, needed: string): never {
    const hint = `key ${quote(this.name(key))} ${needed}, found ${kindOf(this.get(key))}`;
    throw new UnsupportedError(this.path, feature, hint);
  }

  /** The keys that nobody asked for and that say something. */
  unasked(): readonly (readonly [key: string, value: Json])[] {
    return Object.entries(this.values).filter(([key, value]) => value !== null && !this.#asked.has(key));
  }

  /** Errors: UnsupportedError that names a key which nobody asked for. */
  finish(model: string): void {
    const [key] = this.unasked()[0] ?? [];
    if (key !== undefined) this.unknown(model, key);
  }

  unknown(model: string, key: string): never {
    throw new UnsupportedError(
      this.path,
      `${model} with a setting that this compiler does not know`,
      `key ${quote(this.name(key))} (${kindOf(this.get(key))}) may change what the model computes`,
    );
  }

  #typed<T>(key: string, expected: string, convert: (value: Json) => T | undefined): T | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    return convert(value) ?? this.fail(key, `expected ${expected}, found ${kindOf(value)}`);
  }
}
