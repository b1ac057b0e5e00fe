/** Regular expressions as the tokenizers library has them. */
import { compileRegex } from './compile.js';
import type { Program } from './program.js';
import { type Range, Search } from './search.js';
import { Steps } from './steps.js';

export { RegexError } from './regex_error.js';
export type { Range } from './search.js';
export { Steps } from './steps.js';

export class Expression {
  readonly #program: Program;

  /** Errors: RegexError names what is not supported. */
  constructor(source: string) {
    this.#program = compileRegex(source);
  }

  /** All matches in the text. `steps`: shared with other searches. Errors: RegexError where that takes too long. */
  matches(text: string, steps = new Steps().allow(text.length)): Range[] {
    return [...new Search(this.#program, text, steps).all()];
  }
}
