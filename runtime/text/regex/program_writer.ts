/** The instructions of a program while it is written. */
import { folding } from './case_fold.js';
import { CharSet, type Predicate } from './char_set.js';
import { Op, type Program } from './program.js';
import { RegexError } from './regex_error.js';

const MOST_INSTRUCTIONS = 1 << 14;

export class ProgramWriter {
  readonly #op: number[] = [];
  readonly #a: number[] = [];
  readonly #b: number[] = [];
  readonly #c: number[] = [];
  readonly #sets: CharSet[] = [];
  readonly widths = new Map<number, readonly [number, number]>();
  #splits = 0;
  /** See Program. */
  memoryless = true;

  /** `slots`: places of the text that are remembered so far. */
  constructor(public slots: number) {}

  /** Where the next instruction will be. */
  get at(): number {
    return this.#op.length;
  }

  program(): Program {
    this.emit(Op.END);
    return {
      ...{ op: this.#op, a: this.#a, b: this.#b, c: this.#c, sets: this.#sets, widths: this.widths },
      ...{ splits: this.#splits, slots: this.slots, memoryless: this.memoryless },
    };
  }

  emit(op: number, a = 0, b = 0, c = 0): number {
    if (this.#op.length >= MOST_INSTRUCTIONS)
      throw new RegexError(`it has more than ${MOST_INSTRUCTIONS} steps once repetitions are written out`);
    this.#a.push(a);
    this.#b.push(b);
    this.#c.push(c);
    return this.#op.push(op) - 1;
  }

  /** Goes on at the next instruction first; where else is filled in later. */
  split(): number {
    return this.emit(Op.SPLIT, 0, this.#splits++);
  }

  /** Makes `at` go on at the next instruction. */
  land(at: number): void {
    this.#a[at] = this.#op.length;
  }

  /** Makes the test at `at` go on at the next instruction where it fails. */
  landElse(at: number): void {
    this.#b[at] = this.#op.length;
  }

  set(predicate: Predicate): number {
    return this.emit(Op.SET, this.#add(predicate));
  }

  /** As many characters of a set as there are, at most `most`, given back to nobody; fails below `least`. */
  run(predicate: Predicate, least: number, most: number): void {
    this.emit(Op.RUN, this.#add(predicate), most, least);
  }

  #add(predicate: Predicate): number {
    return this.#sets.push(new CharSet(predicate)) - 1;
  }

  /** Letters whose case does not matter, and letters that stand for several: "ß" is "ss". */
  caseless(letters: readonly number[]): void {
    const { same, several, foldingTo, longest } = folding();
    const jumps: { from: number; to: number }[] = [];
    const starts: number[] = [];
    for (const [at, letter] of letters.entries()) {
      starts.push(this.#op.length);
      for (let end = Math.min(letters.length, at + longest); end > at + 1; end--) {
        const text = String.fromCodePoint(...letters.slice(at, end)).toLowerCase();
        const whole = foldingTo(text);
        if (whole.length === 0) continue;
        const split = this.split();
        this.set((codePoint) => whole.includes(codePoint));
        jumps.push({ from: this.emit(Op.JUMP), to: end });
        this.land(split);
      }
      const spelled = several(letter);
      const split = spelled === undefined ? -1 : this.split();
      const all = spelled === undefined ? same(letter) : [...same(letter), ...foldingTo(spelled)];
      this.set((codePoint) => all.includes(codePoint));
      if (spelled === undefined) continue;
      jumps.push({ from: this.emit(Op.JUMP), to: at + 1 });
      this.land(split);
      this.caseless([...spelled].map((character) => character.codePointAt(0)!));
    }
    starts.push(this.#op.length);
    for (const { from, to } of jumps) this.#a[from] = starts[to]!;
  }

  /** \R: a line's end, of which "\r\n" is one. */
  newline(): void {
    this.atomic(() => {
      const split = this.split();
      this.emit(Op.CHAR, 13);
      this.emit(Op.CHAR, 10);
      const end = this.emit(Op.JUMP);
      this.land(split);
      this.set((codePoint) => (codePoint >= 10 && codePoint <= 13) || [0x85, 0x2028, 0x2029].includes(codePoint));
      this.land(end);
    });
  }

  atomic(body: () => void): void {
    const at = this.emit(Op.ATOMIC);
    body();
    this.emit(Op.END);
    this.land(at);
  }

  /** Emits the body or nothing; gives the place whose instruction is to go on after it. */
  option(body: () => void, lazy: boolean): number {
    const split = this.split();
    const exit = lazy ? this.emit(Op.JUMP) : split;
    if (lazy) this.land(split);
    body();
    return exit;
  }
}
