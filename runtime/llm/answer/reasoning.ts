/** What a model thinks before it answers, between delimiters. */
import type { Input } from './input.js';
import { type Part, type Step, text } from './parts.js';

export interface ReasoningDelimiters {
  readonly open: string;
  readonly close: string;
}

const DELIMITERS: readonly ReasoningDelimiters[] = [
  { open: '<think>', close: '</think>' },
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<seed:think>', close: '</seed:think>' },
];

/** Those that a chat template has: one that takes the reasoning out of the history may have the second alone. */
export const delimitersIn = (sources: readonly string[]): ReasoningDelimiters | undefined =>
  DELIMITERS.find(({ open, close }) => sources.some((source) => source.includes(open) || source.includes(close)));

export interface Reasoning extends ReasoningDelimiters {
  /** The prompt ends with the opening delimiter. */
  readonly isOpen: boolean;
  /** What ends it where the model does not end it itself. */
  readonly alsoEnds: readonly string[];
}

const reasoning = (text: string): Part => ({ kind: 'reasoning', text });

/** Reads what an answer begins with; one that begins otherwise has none. White space around it is dropped. */
export function* readReasoning(input: Input, { open, close, isOpen, alsoEnds }: Reasoning): Step {
  input.keep();
  yield* input.blanks();
  const opened = yield* input.word(open);
  if (!opened && !isOpen) return yield* input.giveBack();
  input.settle();
  yield* input.blanks();
  yield* input.hand(reasoning, [close, ...alsoEnds]);
  yield* input.blanks();
  yield* input.word(close);
  yield* input.blanks();
}

/** All the rest. */
export function* readText(input: Input): Step {
  yield* input.hand(text, [], 'verbatim');
}
