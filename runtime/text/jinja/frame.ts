/** A scope while it is compiled: its names, and where its variables are when it runs. */
import type { Activation } from './activation.js';
import type { Symbols } from './symbols.js';
import { orElse, Undefined, type Value } from './values.js';

/** The variables of one function by their place in it. Functions inside of others see theirs. */
class Places {
  readonly #places = new Map<string, number>();

  constructor(readonly outer?: Places) {}

  declare(variable: string): number {
    const known = this.#places.get(variable);
    if (known !== undefined) return known;
    this.#places.set(variable, this.#places.size);
    return this.#places.size - 1;
  }

  /** How many functions out it is, and where there. */
  find(variable: string): readonly [depth: number, place: number] {
    const place = this.#places.get(variable);
    if (place !== undefined) return [0, place];
    if (!this.outer) return [0, this.declare(variable)];
    const [depth, at] = this.outer.find(variable);
    return [depth + 1, at];
  }
}

interface Kind {
  /** The outermost, where what is set is seen by blocks. */
  readonly isTop?: boolean;
  /** Under an if: filters and tests that are not there fail when they are used. */
  readonly isSoft?: boolean;
  /** In the body of a loop, so that break and continue have one. */
  readonly inLoop?: boolean;
}

export class Frame {
  private constructor(
    readonly symbols: Symbols,
    private readonly places: Places,
    readonly kind: Kind,
  ) {}

  static root(symbols: Symbols, isTop: boolean): Frame {
    return new Frame(symbols, new Places(), { isTop }).#declared();
  }

  /** A scope inside of this one, in the same function. */
  inner(symbols: Symbols, inLoop = this.kind.inLoop ?? false): Frame {
    return new Frame(symbols, this.places, { inLoop }).#declared();
  }

  /** A scope inside of this one that is a function of its own. */
  function(symbols: Symbols, inLoop = false): Frame {
    return new Frame(symbols, new Places(this.places), { inLoop }).#declared();
  }

  soft(): Frame {
    return new Frame(this.symbols, this.places, { ...this.kind, isSoft: true });
  }

  #declared(): this {
    for (const variable of this.symbols.loads.keys()) this.places.declare(variable);
    return this;
  }

  /** Reads a variable, which may hold nothing. */
  reader(variable: string): (at: Activation) => Value | undefined {
    const [depth, place] = this.places.find(variable);
    if (depth === 0) return (at) => at.variables[place];
    if (depth === 1) return (at) => at.parent!.variables[place];
    return (at) => up(at, depth).variables[place];
  }

  writer(variable: string): (at: Activation, value: Value | undefined) => void {
    const [depth, place] = this.places.find(variable);
    return (at, value) => {
      up(at, depth).variables[place] = value;
    };
  }

  /** A name as a value: undefined in the template's sense where there is none. */
  name(name: string): (at: Activation) => Value {
    const read = this.reader(this.symbols.find(name)!);
    const missing = new Undefined(`'${name}' is undefined`);
    return (at) => orElse(read(at), () => missing);
  }

  /** What happens when the scope is entered: its variables begin. */
  enter(): (at: Activation) => void {
    const steps = [...this.symbols.loads].flatMap(([variable, load]) => {
      if (load.from === 'parameter') return [];
      const write = this.writer(variable);
      if (load.from === 'context') return [(at: Activation) => write(at, at.resolve(load.name))];
      if (load.from === 'nothing') return [(at: Activation) => write(at, undefined)];
      const read = this.reader(load.variable);
      return [(at: Activation) => write(at, read(at))];
    });
    return (at) => {
      for (const step of steps) step(at);
    };
  }

  /** What happens when it is left: they hold nothing. */
  leave(): (at: Activation) => void {
    const writers = [...this.symbols.loads.keys()].map((variable) => this.writer(variable));
    return (at) => {
      for (const write of writers) write(at, undefined);
    };
  }
}

function up(at: Activation, depth: number): Activation {
  let found = at;
  for (let i = 0; i < depth; i++) found = found.parent!;
  return found;
}
