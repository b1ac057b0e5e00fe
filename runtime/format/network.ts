/** Rules as a network of states over bytes, in which a rule is called like a procedure. */
import type { CharSet } from './char_set.js';
import type { Expression, Rule } from './expression.js';
import { FormatError } from './format_error.js';
import { utf8Ranges } from './utf8.js';

/** So many states at most: each repetition of something is another one. */
const MOST_STATES = 300_000;

interface State {
  /** By a byte of a range. */
  readonly bytes: { readonly from: number; readonly to: number; readonly target: number }[];
  /** By nothing. */
  readonly free: number[];
  /** By what a rule takes; then it goes on elsewhere. */
  readonly calls: { readonly rule: number; readonly after: number }[];
}

export interface Network {
  readonly states: readonly State[];
  /** By rule. The first one is what the text is. */
  readonly entries: readonly number[];
  /** States in which a rule has ended, and nothing else can follow. */
  readonly exits: ReadonlySet<number>;
  /** By rule. */
  readonly names: readonly string[];
}

/** Errors: FormatError where no text is of this rule, where a rule begins with itself, and where it is too large. */
export function buildNetwork(start: Rule): Network {
  const productive = productiveRules(start);
  if (!productive.has(start)) throw new FormatError('no text satisfies it');
  const network = new Builder(productive).build(start);
  forbidLeftRecursion(network);
  return network;
}

/** Those that some text is of. */
function productiveRules(start: Rule): Set<Rule> {
  const all = new Set<Rule>([start]);
  for (const one of all) for (const other of rulesIn(one.body)) all.add(other);
  const productive = new Set<Rule>();
  for (let before = -1; before !== productive.size; ) {
    before = productive.size;
    for (const one of all) if (isProductive(one.body, productive)) productive.add(one);
  }
  return productive;
}

function* rulesIn(expression: Expression): Generator<Rule> {
  const pending = [expression];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (next.kind === 'rule') yield next.rule;
    else if (next.kind === 'repeat') pending.push(next.of);
    else if (next.kind === 'sequence') pending.push(...next.parts);
    else if (next.kind === 'choice') pending.push(...next.options);
  }
}

function isProductive(one: Expression, productive: ReadonlySet<Rule>): boolean {
  if (one.kind === 'characters') return one.set.length > 0;
  if (one.kind === 'rule') return productive.has(one.rule);
  if (one.kind === 'repeat') return one.most >= one.least && (one.least === 0 || isProductive(one.of, productive));
  if (one.kind === 'choice') return one.options.some((option) => isProductive(option, productive));
  return one.parts.every((part) => isProductive(part, productive));
}

class Builder {
  readonly #states: State[] = [];
  readonly #numbers = new Map<Rule, number>();
  readonly #pending: Rule[] = [];
  readonly #entries: number[] = [];
  readonly #exits: number[] = [];

  constructor(private readonly productive: ReadonlySet<Rule>) {}

  build(start: Rule): Network {
    this.#numberOf(start);
    for (let next = this.#pending.shift(); next; next = this.#pending.shift()) {
      const number = this.#numbers.get(next)!;
      this.#add(next.body, this.#entries[number]!, this.#exits[number]!);
    }
    return {
      states: this.#states,
      entries: this.#entries,
      exits: this.#allExits(),
      names: [...this.#numbers.keys()].map(({ name }) => name),
    };
  }

  #numberOf(named: Rule): number {
    const known = this.#numbers.get(named);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(named, number);
    this.#entries.push(this.#state());
    this.#exits.push(this.#state());
    this.#pending.push(named);
    return number;
  }

  #state(): number {
    if (this.#states.length >= MOST_STATES)
      throw new FormatError(`it is too large: more than ${MOST_STATES} states, of which each repetition takes some`);
    this.#states.push({ bytes: [], free: [], calls: [] });
    return this.#states.length - 1;
  }

  /** What the expression takes leads from one state to the other. */
  #add(one: Expression, from: number, to: number): void {
    if (!isProductive(one, this.productive)) return;
    const state = this.#states[from]!;
    if (one.kind === 'rule') state.calls.push({ rule: this.#numberOf(one.rule), after: to });
    else if (one.kind === 'characters') this.#addCharacters(one.set, from, to);
    else if (one.kind === 'choice') for (const option of one.options) this.#add(option, from, to);
    else if (one.kind === 'repeat') this.#addRepeat(one, from, to);
    else if (one.parts.length === 0) state.free.push(to);
    else {
      let at = from;
      for (const [i, part] of one.parts.entries()) {
        const next = i === one.parts.length - 1 ? to : this.#state();
        this.#add(part, at, next);
        at = next;
      }
    }
  }

  #addCharacters(set: CharSet, from: number, to: number): void {
    for (const [first, last] of set)
      for (const list of utf8Ranges(first, last)) {
        let at = from;
        for (const [i, [low, high]] of list.entries()) {
          const target = i === list.length - 1 ? to : this.#state();
          this.#states[at]!.bytes.push({ from: low, to: high, target });
          at = target;
        }
      }
  }

  #addRepeat(one: Extract<Expression, { kind: 'repeat' }>, from: number, to: number): void {
    let at = from;
    const again = () => {
      const next = this.#state();
      this.#add(one.of, at, next);
      at = next;
    };
    for (let i = 0; i < one.least; i++) again();
    if (!isProductive(one.of, this.productive)) this.#states[at]!.free.push(to);
    else if (one.most === Number.POSITIVE_INFINITY) {
      const loop = this.#state();
      this.#states[at]!.free.push(loop);
      this.#add(one.of, loop, loop);
      this.#states[loop]!.free.push(to);
    } else {
      for (let i = one.least; i < one.most; i++) {
        this.#states[at]!.free.push(to);
        again();
      }
      this.#states[at]!.free.push(to);
    }
  }

  /** Exits, and what leads to one by nothing and nowhere else: what is called there need not come back. */
  #allExits(): Set<number> {
    const exits = new Set(this.#exits);
    const leadsOut = (state: State) =>
      state.bytes.length === 0 && state.calls.length === 0 && state.free.length === 1 && exits.has(state.free[0]!);
    for (let before = -1; before !== exits.size; ) {
      before = exits.size;
      for (const [i, state] of this.#states.entries()) if (leadsOut(state)) exits.add(i);
    }
    return exits;
  }
}

/** A rule that calls itself before a byte is taken would never end. */
function forbidLeftRecursion({ states, entries, exits, names }: Network): void {
  const nullable = new Set<number>();
  /** Rules that are called before a byte of this one; adds it to the nullable where its exit is reached. */
  const begin = (entry: number, number: number) => {
    const called = new Set<number>();
    const seen = new Set([entry]);
    for (const at of seen) {
      if (exits.has(at)) nullable.add(number);
      for (const next of states[at]!.free) seen.add(next);
      for (const { rule, after } of states[at]!.calls) {
        called.add(rule);
        if (nullable.has(rule)) seen.add(after);
      }
    }
    return called;
  };
  let calls: Set<number>[] = [];
  for (let before = -1; before !== nullable.size; ) {
    before = nullable.size;
    calls = entries.map(begin);
  }
  const done = new Set<number>();
  const path = new Set<number>();
  const visit = (one: number) => {
    if (path.has(one)) throw new FormatError(`the rule ${names[one]} begins with itself`);
    if (done.has(one)) return;
    path.add(one);
    for (const called of calls[one]!) visit(called);
    path.delete(one);
    done.add(one);
  };
  for (const number of entries.keys()) visit(number);
}
