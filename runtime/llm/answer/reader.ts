/** An answer as it comes, taken apart: what the model says, what it thinks, and which functions it calls. */
import { randomInt } from 'node:crypto';
import type { ToolFormat } from './formats/format.js';
import { Input } from './input.js';
import type { Part, Step, ToolCall, ToolCallDelta } from './parts.js';
import { type Reasoning, readReasoning, readText } from './reasoning.js';
import type { Tools } from './tools.js';

/** How the answers to a prompt are read. */
export interface Reading {
  /** Undefined: calls are text. */
  readonly format: ToolFormat | undefined;
  readonly tools: Tools;
  /** Undefined: an answer begins with none, unless the format has it. */
  readonly reasoning: Reasoning | undefined;
  /** What a model thinks is text, where the format has it. */
  readonly reasoningIsText: boolean;
  /** The answer ends where a second call begins. */
  readonly single: boolean;
}

/** What a part of an answer came to. */
export interface AnswerDelta {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly ToolCallDelta[];
}

function* read(input: Input, { format, tools, reasoning }: Reading): Step {
  if (reasoning) yield* readReasoning(input, reasoning);
  yield* format ? format.read(input, tools) : readText(input);
}

/** Control tokens that are spelled so take part in it. */
export const delimitersOf = ({ format, reasoning }: Reading): readonly string[] => [
  ...(format?.delimiters ?? []),
  ...(reasoning ? [reasoning.open, reasoning.close] : []),
];

export class AnswerReader {
  readonly #input = new Input();
  readonly #run: Step;
  readonly #calls: { id: string; name: string; arguments: string }[] = [];
  #last: Part['kind'] = 'text';
  /** Nothing more is read. */
  ended = false;

  constructor(private readonly reading: Reading) {
    this.#run = read(this.#input, reading);
  }

  /** What follows of the answer. */
  push(more: string): AnswerDelta {
    this.#input.push(more);
    return this.#advance();
  }

  /** There is no more. */
  end(): AnswerDelta {
    this.#input.end();
    return this.#advance();
  }

  /** Something of what came is not known yet to be what. */
  get pending(): boolean {
    return this.#input.pending && !this.ended;
  }

  /** What came last is what the model thinks. */
  get isReasoning(): boolean {
    return this.#last === 'reasoning';
  }

  /** So far. */
  get calls(): readonly ToolCall[] {
    return this.#calls.map(({ id, ...call }) => ({ id, type: 'function', function: call }));
  }

  #advance(): AnswerDelta {
    const delta = { text: '', reasoning: '', calls: [] as ToolCallDelta[] };
    while (!this.ended) {
      const { done, value: part } = this.#run.next();
      if (done) this.ended = true;
      if (done || part === undefined) break;
      if (part.kind === 'call' && this.reading.single && this.#calls.length > 0) this.ended = true;
      else this.#add(part, delta);
    }
    return delta;
  }

  #add(part: Part, delta: { text: string; reasoning: string; calls: ToolCallDelta[] }): void {
    this.#last = part.kind;
    if (part.kind === 'text' || part.kind === 'reasoning')
      delta[this.reading.reasoningIsText ? 'text' : part.kind] += part.text;
    else if (part.kind === 'call') {
      const call = { id: newId(), name: part.name, arguments: '' };
      this.#calls.push(call);
      delta.calls.push({ index: this.#calls.length - 1, ...call });
    } else {
      const index = this.#calls.length - 1;
      this.#calls[index]!.arguments += part.text;
      const before = delta.calls.at(-1);
      if (before?.index === index)
        delta.calls[delta.calls.length - 1] = { ...before, arguments: before.arguments + part.text };
      else delta.calls.push({ index, arguments: part.text });
    }
  }
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const newId = () => Array.from({ length: 9 }, () => LETTERS[randomInt(LETTERS.length)]).join('');
