/** `loop` of a for loop, and the other objects of Jinja's own. */
import { bind } from './arguments.js';
import { equal } from './compare.js';
import { JinjaError, typeError, valueError } from './errors.js';
import { iterate, list } from './iterate.js';
import { str } from './print.js';
import { Builtin, Callable, length, orElse, PyObject, Tuple, Undefined, type Value } from './values.js';

/** Renders the body of a recursive loop for other items, so deep. */
export type Recurse = (items: Value, depth: number) => Value;

export class Loop extends Callable {
  readonly typeName = 'LoopContext';
  readonly name = 'loop';
  #index0 = -1n;
  #iterator: Iterator<Value>;
  #length: number | undefined;
  #after: Value | undefined;
  #current: Value | undefined;
  #before: Value | undefined;
  #changed: readonly Value[] | undefined;

  constructor(
    private readonly iterable: Value,
    private readonly recurse?: Recurse,
    private readonly depth0 = 0,
  ) {
    super();
    this.#iterator = iterate(iterable);
  }

  /** The next item; undefined at the end. */
  next(): Value | undefined {
    const item = this.#peek();
    this.#after = undefined;
    if (item === undefined) return undefined;
    this.#index0++;
    this.#before = this.#current;
    this.#current = item;
    return item;
  }

  override call(args: readonly Value[]): Value {
    if (!this.recurse) throw typeError("The loop must have the 'recursive' marker to be called recursively.");
    if (args.length !== 1) throw typeError(`loop() takes 1 positional argument but ${args.length} were given`);
    return this.recurse(args[0]!, this.depth0 + 1);
  }

  /** len() of it. */
  get length(): number {
    if (this.#length !== undefined) return this.#length;
    const known = length(this.iterable);
    if (known !== undefined) this.#length = known;
    else {
      const rest: Value[] = [];
      for (let item = this.#take(); item !== undefined; item = this.#take()) rest.push(item);
      this.#iterator = rest.values();
      this.#length = rest.length + Number(this.#index0) + 1 + (this.#after === undefined ? 0 : 1);
    }
    return this.#length;
  }

  repr(): string {
    return `<LoopContext ${this.#index0 + 1n}/${this.length}>`;
  }

  attribute(name: string): Value | undefined {
    return Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name]!(this) : undefined;
  }

  static readonly attributes: Readonly<Record<string, (loop: Loop) => Value>> = {
    index0: (loop) => loop.#index0,
    index: (loop) => loop.#index0 + 1n,
    revindex0: (loop) => BigInt(loop.length) - loop.#index0 - 1n,
    revindex: (loop) => BigInt(loop.length) - loop.#index0,
    length: (loop) => BigInt(loop.length),
    first: (loop) => loop.#index0 === 0n,
    last: (loop) => loop.#peek() === undefined,
    depth0: (loop) => BigInt(loop.depth0),
    depth: (loop) => BigInt(loop.depth0 + 1),
    previtem: (loop) => orElse(loop.#before, () => new Undefined('there is no previous item')),
    nextitem: (loop) => orElse(loop.#peek(), () => new Undefined('there is no next item')),
    cycle: (loop) => new Builtin('cycle', (args) => loop.#cycle(args)),
    changed: (loop) => new Builtin('changed', (args) => loop.#isNew(args)),
  };

  #take(): Value | undefined {
    const { done, value } = this.#iterator.next();
    return done ? undefined : value;
  }

  #peek(): Value | undefined {
    if (this.#after === undefined) this.#after = this.#take();
    return this.#after;
  }

  #cycle(args: readonly Value[]): Value {
    if (args.length === 0) throw typeError('no items for cycling given');
    return args[Number(this.#index0 % BigInt(args.length))]!;
  }

  #isNew(args: readonly Value[]): boolean {
    if (this.#changed && equal(new Tuple(this.#changed), new Tuple(args))) return false;
    this.#changed = args;
    return true;
  }
}

const ATTRIBUTES = Loop.attributes;

/** cycler('odd', 'even') */
export class Cycler extends PyObject {
  readonly typeName = 'Cycler';
  #at = 0;

  constructor(private readonly items: readonly Value[]) {
    super();
    if (items.length === 0) throw new JinjaError('TemplateRuntimeError', 'at least one item has to be provided');
  }

  attribute(name: string): Value | undefined {
    if (name === 'current') return this.items[this.#at];
    if (name === 'items') return new Tuple(this.items);
    if (name === 'pos') return BigInt(this.#at);
    if (name === 'next') return new Builtin(name, (args, keywords) => this.#next(bind(name, '', args, keywords)));
    if (name !== 'reset') return undefined;
    return new Builtin(name, (args, keywords) => {
      bind(name, '', args, keywords);
      this.#at = 0;
      return null;
    });
  }

  #next(_none: unknown): Value {
    const current = this.items[this.#at]!;
    this.#at = (this.#at + 1) % this.items.length;
    return current;
  }
}

/** joiner(', '): nothing the first time, then the separator. */
export class Joiner extends Callable {
  readonly typeName = 'Joiner';
  readonly name = 'joiner';
  #used = false;

  constructor(private readonly separator: Value) {
    super();
  }

  override call(args: readonly Value[]): Value {
    if (args.length > 0) throw typeError(`joiner takes no arguments (${args.length} given)`);
    if (this.#used) return this.separator;
    this.#used = true;
    return '';
  }

  attribute(name: string): Value | undefined {
    if (name === 'sep') return this.separator;
    return name === 'used' ? this.#used : undefined;
  }
}

/** The items of a dict's argument: pairs. */
export function pairs(value: Value): (readonly [Value, Value])[] {
  return list(value).map((pair, i) => {
    const parts = list(pair);
    if (parts.length !== 2)
      throw valueError(
        `dictionary update sequence element #${i} has length ${parts.length}; 2 is required (${str(pair)})`,
      );
    return [parts[0]!, parts[1]!];
  });
}
