/**
 * A network as a deterministic automaton over bytes, whose states are made when they are first reached: a state is a set of
 * places in the network, each with the stack of those that called its rule.
 */
import { FormatError } from './format_error.js';
import type { Network } from './network.js';

export const DEAD = -1;
const UNKNOWN = -2;
const MOST_PLACES = 4_000;
const MOST_STATES = 60_000;
const MOST_STACKS = 1_000_000;
const BOTTOM = 0;

export class Automaton {
  static readonly start = 0;
  /** By byte: bytes of a class lead everywhere to the same. */
  readonly #classes: Uint8Array;
  readonly #classCount: number;
  /** By state and class. */
  #table = new Int32Array(0);
  /** By state: pairs of a place and its stack, and whether the text may end here. */
  readonly #places: Int32Array[] = [];
  readonly #final: boolean[] = [];
  readonly #ids = new Map<string, number>();
  /** Stacks: a place to go on at, on top of another stack. */
  readonly #tops = [-1];
  readonly #below = [-1];
  readonly #stacks = new Map<number, number>();

  constructor(private readonly network: Network) {
    this.#classes = byteClasses(network);
    this.#classCount = Math.max(...this.#classes) + 1;
    const places = new Places();
    this.#reach(network.entries[0]!, BOTTOM, places);
    this.#state(places);
  }

  get stateCount(): number {
    return this.#places.length;
  }

  /** Errors: FormatError where the grammar goes beyond the bounds. */
  step(state: number, byte: number): number {
    const at = state * this.#classCount + this.#classes[byte]!;
    const known = this.#table[at]!;
    if (known !== UNKNOWN) return known;
    const next = this.#make(state, byte);
    this.#table[at] = next;
    return next;
  }

  /** The text may end here. */
  isFinal(state: number): boolean {
    return this.#final[state]!;
  }

  /** Something may follow. */
  goesOn(state: number): boolean {
    return this.#places[state]!.length > 0;
  }

  #make(state: number, byte: number): number {
    const reached = new Places();
    const places = this.#places[state]!;
    for (let i = 0; i < places.length; i += 2)
      for (const { from, to, target } of this.network.states[places[i]!]!.bytes)
        if (byte >= from && byte <= to) this.#reach(target, places[i + 1]!, reached);
    return reached.isEmpty ? DEAD : this.#state(reached);
  }

  /** Adds the place and all that it leads to by nothing. */
  #reach(place: number, stack: number, reached: Places): void {
    const { states, entries, exits } = this.network;
    const pending = [place, stack];
    while (pending.length > 0) {
      const below = pending.pop()!;
      const at = pending.pop()!;
      if (!reached.add(at, below)) continue;
      if (reached.size > MOST_PLACES) throw tooMany('it can be read in too many ways at once');
      if (exits.has(at)) {
        if (below === BOTTOM) reached.isFinal = true;
        else pending.push(this.#tops[below]!, this.#below[below]!);
      }
      const { free, calls } = states[at]!;
      for (const next of free) pending.push(next, below);
      for (const { rule, after } of calls)
        pending.push(entries[rule]!, exits.has(after) ? below : this.#push(after, below));
    }
  }

  #push(top: number, below: number): number {
    const key = below * this.network.states.length + top;
    const known = this.#stacks.get(key);
    if (known !== undefined) return known;
    if (this.#tops.length >= MOST_STACKS) throw tooMany('it nests too deeply');
    this.#stacks.set(key, this.#tops.length);
    this.#below.push(below);
    return this.#tops.push(top) - 1;
  }

  #state(reached: Places): number {
    const places = reached.pairs((place) => this.network.states[place]!.bytes.length > 0);
    const key = `${reached.isFinal}${places.join()}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#places.length;
    if (id >= MOST_STATES) throw tooMany('it has too many states');
    this.#ids.set(key, id);
    this.#places.push(places);
    this.#final.push(reached.isFinal);
    const end = (id + 1) * this.#classCount;
    if (end > this.#table.length) {
      const table = new Int32Array(Math.max(2 * end, 64 * this.#classCount)).fill(UNKNOWN);
      table.set(this.#table);
      this.#table = table;
    }
    return id;
  }
}

const tooMany = (what: string) => new FormatError(`${what}: make it simpler`);

/** Pairs of a place and a stack. */
class Places {
  readonly #stacks = new Map<number, Set<number>>();
  size = 0;
  isFinal = false;

  /** Whether it is new. */
  add(place: number, stack: number): boolean {
    const stacks = this.#stacks.get(place) ?? new Set();
    if (stacks.has(stack)) return false;
    this.#stacks.set(place, stacks.add(stack));
    this.size++;
    return true;
  }

  get isEmpty(): boolean {
    return this.size === 0;
  }

  pairs(wanted: (place: number) => boolean): Int32Array {
    const pairs: number[] = [];
    for (const place of [...this.#stacks.keys()].filter(wanted).sort((a, b) => a - b))
      for (const stack of [...this.#stacks.get(place)!].sort((a, b) => a - b)) pairs.push(place, stack);
    return Int32Array.from(pairs);
  }
}

function byteClasses({ states }: Network): Uint8Array {
  const begins = new Set([0]);
  for (const { bytes } of states)
    for (const { from, to } of bytes) {
      begins.add(from);
      begins.add(to + 1);
    }
  let current = -1;
  return Uint8Array.from({ length: 256 }, (_, byte) => (begins.has(byte) ? ++current : current));
}
