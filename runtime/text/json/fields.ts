/** Reads the parts of a tokenizer.json. Whatever is not known is refused, with where it stands. */
import { ModelFileError, UnsupportedError } from '../../common/errors.js';
import { quote } from '../../common/quote.js';
import { isObject, type Json, type JsonObject, kindOf } from '../../files/json.js';
import { Expression, RegexError, Steps } from '../regex/index.js';
import { type Pattern, textPattern } from './pattern.js';

const MOST_STEPS = 64;
const SHOWN = 80;

export const own = (object: JsonObject, key: string): Json | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** An object within the file, and what it is called: "normalizer". */
export class Fields {
  constructor(
    readonly path: string,
    readonly place: string,
    private readonly object: JsonObject,
    /** Of all expressions in the file. */
    readonly steps = new Steps(),
  ) {}

  fail(key: string, problem: string): never {
    throw new ModelFileError(this.path, `key ${quote(`${this.place}.${key}`)}`, problem);
  }

  refuse(feature: string, hint = 'it is not supported'): never {
    throw new UnsupportedError(this.path, feature, hint);
  }

  /** The step itself: its type is not known, or not with these settings. */
  refuseStep(why = 'it is not known'): never {
    return this.refuse(`text with the ${this.place} ${kindOf(this.get('type')).slice(0, SHOWN)}`, why);
  }

  get(key: string): Json | undefined {
    return own(this.object, key);
  }

  text(key: string): string {
    const value = this.get(key);
    return typeof value === 'string' ? value : this.fail(key, `expected a text, found ${kindOf(value)}`);
  }

  /** One character. */
  character(key: string): string {
    const text = this.text(key);
    return [...text].length === 1 ? text : this.fail(key, `expected one character, found ${kindOf(text)}`);
  }

  bool(key: string, fallback?: boolean): boolean {
    const value = this.get(key) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(key, `expected true or false, found ${kindOf(value)}`);
  }

  count(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    return Number.isSafeInteger(value) && (value as number) >= 0
      ? (value as number)
      : this.fail(key, `expected a number from 0, found ${kindOf(value)}`);
  }

  oneOf<T extends string>(key: string, names: readonly T[], fallback?: T): T {
    const value = this.get(key) ?? fallback;
    const found = names.find((name) => name === value);
    return found ?? this.fail(key, `expected one of ${names.join(', ')}, found ${kindOf(value)}`);
  }

  /** {"String": text} or {"Regex": expression}. */
  pattern(key: string): Pattern {
    const value = this.get(key);
    const { String: text, Regex: regex } = isObject(value) ? value : {};
    if (typeof text === 'string') return textPattern(text);
    if (typeof regex === 'string') return this.#expression(regex);
    return this.fail(key, `expected {"String": ...} or {"Regex": ...}, found ${kindOf(value)}`);
  }

  #expression(regex: string): Pattern {
    const attempt = <T>(act: () => T): T => {
      try {
        return act();
      } catch (error) {
        if (!(error instanceof RegexError)) throw error;
        return this.refuse(`the expression ${kindOf(regex).slice(0, SHOWN)} of its ${this.place}`, error.message);
      }
    };
    const expression = attempt(() => new Expression(regex));
    return (text) => attempt(() => expression.matches(text, this.steps));
  }

  /** An object in here. */
  within(key: string, place = `${this.place}.${key}`): Fields {
    const value = this.get(key);
    if (!isObject(value)) return this.fail(key, `expected an object, found ${kindOf(value)}`);
    return new Fields(this.path, place, value, this.steps);
  }

  /** The steps that stand in `key`, in order: a sequence is what its `list` holds. */
  sequence(key: string, list: string): Fields[] {
    const found: Fields[] = [];
    const whole = this.get(key) ?? null;
    const left: (Json | undefined)[] = whole === null ? [] : [whole];
    let count = 0;
    while (left.length > 0) {
      const value = left.pop();
      if (!isObject(value)) return this.fail(key, `expected an object, found ${kindOf(value)}`);
      const step = new Fields(this.path, key.replaceAll('_', '-'), value, this.steps);
      if (own(value, 'type') !== 'Sequence') found.push(step);
      else {
        const inside = own(value, list);
        if (!Array.isArray(inside)) return step.fail(list, `expected a list, found ${kindOf(inside)}`);
        for (let i = inside.length - 1; i >= 0; i--) left.push(inside[i]);
      }
      if (++count > MOST_STEPS) return this.fail(key, `expected at most ${MOST_STEPS} steps, found more`);
    }
    return found;
  }
}
