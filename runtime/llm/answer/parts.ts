/** What an answer is made of: types of calls for the whole package, and what parsers hand over. */

/** A call of a function that a model wrote, as the chat APIs have it. */
export interface ToolCall {
  /** Nine letters and digits, which templates of Mistral's want. */
  readonly id: string;
  /** Always this. */
  readonly type: 'function';
  /** What is called. */
  readonly function: {
    /** The function's name. */
    readonly name: string;
    /** JSON of an object, as the model wrote it: it need not be valid, nor follow the function's schema. */
    readonly arguments: string;
  };
}

/** Part of a call, as it comes. */
export interface ToolCallDelta {
  /** Which of the answer's calls, from 0. */
  readonly index: number;
  /** With the first part of a call. */
  readonly id?: string;
  /** With the first part of a call. */
  readonly name?: string;
  /** What follows of its arguments' text. */
  readonly arguments: string;
}

/** What a parser hands over, in order. `call` begins one; its arguments follow. */
export type Part =
  | { readonly kind: 'text' | 'reasoning' | 'arguments'; readonly text: string }
  | { readonly kind: 'call'; readonly name: string };

/** A parser under way: it yields parts, and undefined where it needs more of the answer. */
export type Step<Result = void> = Generator<Part | undefined, Result, void>;

export const text = (text: string): Part => ({ kind: 'text', text });
export const begun = (name: string): Part => ({ kind: 'call', name });
export const written = (text: string): Part => ({ kind: 'arguments', text });
