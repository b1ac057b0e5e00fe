/** Runs a program over a text, backtracking, with a bound on its steps. */
import { CharSet, ESCAPES } from './char_set.js';
import { firstCharacters } from './first.js';
import { Memory } from './memory.js';
import { Assert, Op, type Program } from './program.js';
import { RegexError } from './regex_error.js';
import type { Steps } from './steps.js';

/** Numbers in the stack. */
const MOST_STACK = 3 << 22;
const FAILED = -1;
const NEWLINE = 10;

const word = new CharSet(ESCAPES.word!);

export type Range = readonly [start: number, end: number];

/** One program over one text. */
export class Search {
  readonly #memory: Memory | undefined;
  readonly #first: CharSet | undefined;
  readonly #slots: Int32Array;
  /** Three numbers each: where to go on, at which place, and the memory's mark; or a slot, negative, and what it held. */
  #stack = new Int32Array(3 << 8);
  #top = 0;
  #from = 0;
  /** How many parts are being matched that end at a place given; memory is of no use in them. */
  #behind = 0;
  #target = FAILED;
  /** The last run of each instruction that takes one of any length. */
  readonly #runs = new Map<number, Range>();

  constructor(
    private readonly program: Program,
    private readonly text: string,
    private readonly steps: Steps,
  ) {
    this.#memory = program.memoryless ? new Memory(program.splits) : undefined;
    this.#first = firstCharacters(program);
    this.#slots = new Int32Array(program.slots).fill(FAILED);
  }

  /** All matches, from the left, as the library finds them. Errors: RegexError where it takes too long. */
  *all(): Generator<Range> {
    let last = FAILED;
    for (let from = 0; from <= this.text.length; ) {
      const found = this.#next(from);
      if (found === undefined) return;
      const [start, end] = found;
      if (start === end && last === end) {
        from += this.#widthAt(from); // no empty match at the end of another
        continue;
      }
      from = end;
      last = end;
      yield found;
    }
  }

  #next(from: number): Range | undefined {
    this.#from = from;
    this.#memory?.forgetBefore(from);
    const { length } = this.text;
    for (let at = from; at <= length; at += this.#widthAt(at)) {
      if (this.#first && !(at < length && this.#first.has(this.text.codePointAt(at)!))) continue;
      this.#slots.fill(FAILED);
      this.#slots[0] = at;
      this.#top = 0;
      const end = this.#run(0, at, false);
      if (end !== FAILED) return [this.#slots[0]!, end];
    }
    return undefined;
  }

  #widthAt(at: number): number {
    const unit = this.text.charCodeAt(at);
    return unit >= 0xd800 && unit < 0xdc00 ? 2 : 1;
  }

  /** From an instruction up to an END: where that is in the text, or FAILED. What it tried is off the stack then. */
  #run(start: number, from: number, isPart: boolean): number {
    const { op, a, b, sets } = this.program;
    const { text } = this;
    const { length } = text;
    const base = this.#top;
    const memory = this.#behind > 0 ? undefined : this.#memory;
    const mark = memory?.mark ?? 0;
    let [pc, at] = [start, from];
    for (;;) {
      this.steps.take(1);
      let fails = false;
      switch (op[pc]) {
        case Op.CHAR:
        case Op.SET: {
          const found = at < length ? text.codePointAt(at)! : FAILED;
          fails = found === FAILED || (op[pc] === Op.CHAR ? found !== a[pc] : !sets[a[pc]!]!.has(found));
          at += found > 0xffff ? 2 : 1;
          pc++;
          break;
        }
        case Op.SPLIT: {
          const end = memory?.endOf(b[pc]!, at);
          if (end !== undefined) return this.#finish(base, mark, memory, end, isPart);
          fails = memory !== undefined && !memory.tries(b[pc]!, at);
          if (fails) break;
          this.#push(a[pc]!, at, memory?.mark ?? 0);
          pc++;
          break;
        }
        case Op.JUMP:
          pc = a[pc]!;
          break;
        case Op.END:
          fails = this.#target !== FAILED && this.#behind > 0 && at !== this.#target;
          if (!fails) return this.#finish(base, mark, memory, at, isPart);
          break;
        case Op.ASSERT:
          fails = this.#holds(a[pc]!, at) === (b[pc] === 1);
          pc++;
          break;
        case Op.AHEAD:
        case Op.BEHIND:
          fails = this.#looks(pc, at) === (b[pc] === 1);
          pc = a[pc]!;
          break;
        case Op.ATOMIC: {
          const end = this.#part(pc + 1, at);
          fails = end === FAILED;
          at = end;
          pc = a[pc]!;
          break;
        }
        case Op.RUN: {
          const end = this.#runOf(pc, at);
          fails = end === FAILED;
          at = end;
          pc++;
          break;
        }
        case Op.SAVE:
          this.#push(-1 - a[pc]!, this.#slots[a[pc]!]!, 0);
          this.#slots[a[pc]!] = at;
          pc++;
          break;
        case Op.AGAIN: {
          const end = this.#again(a[pc]!, b[pc] === 1, at);
          fails = end === FAILED;
          at = end;
          pc++;
          break;
        }
        case Op.UNLESS_MOVED:
          pc = this.#slots[a[pc]!] === at ? b[pc]! : pc + 1;
          break;
        default:
          fails = true;
      }
      if (!fails) continue;
      const entry = this.#backtrack(base);
      memory?.fail(entry === FAILED ? mark : this.#stack[entry + 2]!);
      if (entry === FAILED) return FAILED;
      pc = this.#stack[entry]!;
      at = this.#stack[entry + 1]!;
    }
  }

  #finish(base: number, mark: number, memory: Memory | undefined, end: number, isPart: boolean): number {
    memory?.succeed(mark, isPart ? end : undefined);
    if (!isPart) return end;
    // What slots held is still needed where all that follows fails.
    let top = base;
    for (let at = base; at < this.#top; at += 3)
      if (this.#stack[at]! < 0) {
        this.#stack.copyWithin(top, at, at + 3);
        top += 3;
      }
    this.#top = top;
    return end;
  }

  #push(pc: number, at: number, mark: number): void {
    if (this.#top === this.#stack.length) {
      if (this.#top >= MOST_STACK) throw new RegexError('it leaves too much open at a time');
      const larger = new Int32Array(2 * this.#top);
      larger.set(this.#stack);
      this.#stack = larger;
    }
    this.#stack[this.#top++] = pc;
    this.#stack[this.#top++] = at;
    this.#stack[this.#top++] = mark;
  }

  /** The place of the last branch above `base`, slots being as they were then; FAILED where there is none. */
  #backtrack(base: number): number {
    while (this.#top > base) {
      this.#top -= 3;
      const pc = this.#stack[this.#top]!;
      if (pc >= 0) return this.#top;
      this.#slots[-1 - pc] = this.#stack[this.#top + 1]!;
    }
    return FAILED;
  }

  /** A part that ends where it likes. */
  #part(pc: number, at: number): number {
    const target = this.#target;
    this.#target = FAILED;
    const end = this.#run(pc, at, true);
    this.#target = target;
    return end;
  }

  #looks(pc: number, at: number): boolean {
    const { op, b } = this.program;
    const base = this.#top;
    const found = op[pc] === Op.AHEAD ? this.#part(pc + 1, at) !== FAILED : this.#looksBehind(pc, at);
    if (found && b[pc] === 1) this.#backtrack(base);
    return found;
  }

  #looksBehind(pc: number, at: number): boolean {
    const [least, most] = this.program.widths.get(pc)!;
    const target = this.#target;
    this.#behind++;
    let found = false;
    for (let [start, width] = [at, 0]; !found && width <= most; width++) {
      this.steps.take(1);
      this.#target = at;
      found = width >= least && this.#run(pc + 1, start, true) !== FAILED;
      if (start === 0) break;
      start -= this.#widthBefore(start);
    }
    this.#behind--;
    this.#target = target;
    return found;
  }

  #widthBefore(at: number): number {
    const unit = this.text.charCodeAt(at - 1);
    return unit >= 0xdc00 && unit < 0xe000 ? 2 : 1;
  }

  /** Characters of the set as far as they go. A run is walked through once, also where it is come upon in its middle. */
  #runOf(pc: number, from: number): number {
    const { text } = this;
    const { a, b, c, sets } = this.program;
    const [set, most, least] = [sets[a[pc]!]!, b[pc]!, c[pc]!];
    const known = this.#runs.get(pc);
    if (known && from >= known[0] && from < known[1] && least <= 1) return known[1];
    let [at, count] = [from, 0];
    for (; count < most && at < text.length; count++) {
      const codePoint = text.codePointAt(at)!;
      if (!set.has(codePoint)) break;
      at += codePoint > 0xffff ? 2 : 1;
    }
    this.steps.take(count);
    if (most === Number.POSITIVE_INFINITY) this.#runs.set(pc, [from, at]);
    return count < least ? FAILED : at;
  }

  #again(slot: number, ignoreCase: boolean, at: number): number {
    const [start, end] = [this.#slots[slot]!, this.#slots[slot + 1]!];
    if (start === FAILED || end === FAILED) return FAILED;
    const wanted = this.text.slice(start, end);
    const found = this.text.slice(at, at + wanted.length);
    this.steps.take(wanted.length);
    const same = ignoreCase ? found.toLowerCase() === wanted.toLowerCase() : found === wanted;
    return same ? at + wanted.length : FAILED;
  }

  #holds(assertion: number, at: number): boolean {
    const { text } = this;
    const { length } = text;
    switch (assertion) {
      case Assert.LINE_START:
        return at === 0 || (at < length && text.charCodeAt(at - 1) === NEWLINE);
      case Assert.LINE_END:
        return at === length || text.charCodeAt(at) === NEWLINE;
      case Assert.TEXT_START:
        return at === 0;
      case Assert.TEXT_END:
        return at === length;
      case Assert.LAST_LINE_END:
        return at === length || (at === length - 1 && text.charCodeAt(at) === NEWLINE);
      case Assert.SEARCH_START:
        return at === this.#from;
      default:
        return this.#isWord(at) !== (at > 0 && this.#isWord(at - this.#widthBefore(at)));
    }
  }

  #isWord(at: number): boolean {
    return at < this.text.length && word.has(this.text.codePointAt(at)!);
  }
}
