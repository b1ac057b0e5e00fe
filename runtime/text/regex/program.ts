/** A regular expression as instructions. */
import type { CharSet } from './char_set.js';

export const Op = {
  /** Takes the character `a`. */
  CHAR: 0,
  /** Takes a character of the set `a`. */
  SET: 1,
  /** Goes on here, and where that fails at `a`. `b` numbers the instructions of this kind. */
  SPLIT: 2,
  /** Goes on at `a`. */
  JUMP: 3,
  FAIL: 4,
  /** The end, of all or of a part. */
  END: 5,
  /** Passes where the assertion `a` holds. `b`: where it does not. */
  ASSERT: 6,
  /** What follows up to END matches ahead of here; `b`: does not. Goes on at `a`. */
  AHEAD: 7,
  /** The same behind. */
  BEHIND: 8,
  /** Takes what follows up to END, and never less of it. Goes on at `a`. */
  ATOMIC: 9,
  /** Takes up to `b` characters of the set `a`, and never fewer; fails below `c`. */
  RUN: 10,
  /** Remembers the place in slot `a`. */
  SAVE: 11,
  /** Takes again what was between the slots `a` and `a` + 1; `b`: whatever its case. */
  AGAIN: 12,
  /** Goes on at `b` where the place is the one in slot `a`: what was repeated took nothing. */
  UNLESS_MOVED: 13,
} as const;

export const Assert = {
  LINE_START: 0,
  LINE_END: 1,
  TEXT_START: 2,
  TEXT_END: 3,
  LAST_LINE_END: 4,
  SEARCH_START: 5,
  WORD_BOUNDARY: 6,
} as const;

export interface Program {
  readonly op: readonly number[];
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly c: readonly number[];
  readonly sets: readonly CharSet[];
  readonly splits: number;
  readonly slots: number;
  /** Widths, in characters, of what a BEHIND matches, by its place. */
  readonly widths: ReadonlyMap<number, readonly [least: number, most: number]>;
  /**
   * Whether an instruction succeeds at a place depends on nothing that came before. So what failed once at a place need
   * not be tried there again, and a search takes time in proportion to the text.
   */
  readonly memoryless: boolean;
}
