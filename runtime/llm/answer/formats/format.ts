import type { Input } from '../input.js';
import type { Step } from '../parts.js';
import type { Tools } from '../tools.js';

/** How a family of models writes calls of functions. */
export interface ToolFormat {
  /** As it is forced by. */
  readonly name: string;
  /** What frames a call: control tokens that are spelled so are handed to the parser, though they are no text. */
  readonly delimiters: readonly string[];
  /** Of the delimiters, those that no prose has: they end the reasoning that a model has not ended itself. */
  readonly opens: readonly string[];
  /** The answer is made of messages, with reasoning among them: this parser reads all of it, also where no tools are given. */
  readonly readsReasoning?: true;
  /** Whether a call that a template made is written so. */
  isIn(call: string): boolean;
  /** Reads an answer. What it cannot read is text. */
  read(input: Input, tools: Tools): Step;
}
