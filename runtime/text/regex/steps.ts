import { RegexError } from './regex_error.js';

/** For every text, and more for each of its characters: many times what expressions of some sense take. */
const STEPS = 1 << 20;
const STEPS_A_CHARACTER = 1 << 9;

/** What searches may take together. Foreign expressions run where others wait. */
export class Steps {
  #most = 0;
  #left = 0;

  /** For a text of this length. */
  allow(length: number): this {
    this.#most = STEPS + STEPS_A_CHARACTER * length;
    this.#left = this.#most;
    return this;
  }

  /** Errors: RegexError where too many have been taken. */
  take(count: number): void {
    this.#left -= count;
    if (this.#left < 0) throw new RegexError(`it takes more than ${this.#most} steps`);
  }
}
