/** What a running template has: variables, the text so far, and what it was given. */
import { checkText, JinjaError } from './errors.js';
import type { Value } from './values.js';

/** One for each rendering. */
export interface State {
  /** What the caller gave, and what Jinja2 has. */
  readonly given: ReadonlyMap<string, Value>;
  /** What the outermost scope has set: blocks see it. */
  readonly exported: Map<string, Value>;
  readonly blocks: ReadonlyMap<string, BlockBody>;
  /** Of the template, where it is. */
  line: number;
  /** Macros and recursive loops that are running. */
  depth: number;
}

export type BlockBody = (state: State, out: Output) => void;

/** As many calls inside of each other as Python's stack has room for. */
const MAX_CALLS = 200;

/** A call of a macro goes down here, and comes back. */
export function within<T>(state: State, act: () => T): T {
  if (state.depth >= MAX_CALLS) throw new JinjaError('LimitError', `expected calls nested at most ${MAX_CALLS} deep`);
  const { line } = state;
  state.depth++;
  const made = act();
  state.depth--;
  state.line = line;
  return made;
}

/** The variables of one function: the template, a block, a macro, a recursive loop. A variable that holds nothing is undefined. */
export class Activation {
  readonly variables: (Value | undefined)[] = [];

  constructor(
    readonly state: State,
    readonly parent?: Activation,
  ) {}

  resolve(name: string): Value | undefined {
    return this.state.exported.has(name) ? this.state.exported.get(name) : this.state.given.get(name);
  }
}

export class Output {
  text = '';

  constructor(private readonly limit = Number.POSITIVE_INFINITY) {}

  write(piece: string): void {
    this.text += piece;
    checkText(this.text.length);
    if (this.text.length > this.limit)
      throw new JinjaError(
        'LimitError',
        `expected at most ${this.limit} characters from it, found ${this.text.length}`,
      );
  }
}

/** How a statement ends: on to the next, or out of a loop's body. */
export type Signal = 'next' | 'break' | 'continue';

export type Evaluate = (at: Activation) => Value;
export type Execute = (at: Activation, out: Output) => Signal;

/** Writes this, and goes on. */
export const writing =
  (text: (at: Activation) => string): Execute =>
  (at, out) => {
    out.write(text(at));
    return 'next';
  };
