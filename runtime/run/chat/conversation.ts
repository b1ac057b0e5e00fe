/** A chat in a terminal, or with lines from a pipe: reads a line, obeys or answers it, until there are no more. */

import { say } from '../../common/stderr.js';
import { write, writeWriting } from '../../common/stdout.js';
import { type Chat, type GenerateOptions, type GenerationResult, type Message, RealizarError } from '../../index.js';
import { Interrupted, RunError } from '../exit.js';
import { withFlags } from '../model.js';
import { describeResult } from '../result.js';
import { type Style, styleOf } from '../style.js';
import { writeMessages } from './history.js';
import { LineInput } from './input.js';
import { ShownAnswer } from './shown_answer.js';

export interface ConversationOptions {
  /** What /reset leaves. */
  readonly system: readonly Message[];
  readonly generate: GenerateOptions;
  /** Counts and times after each answer. */
  readonly verbose: boolean;
  /** Ends the conversation. */
  readonly signal: AbortSignal;
}

const HELP = `
/reset        forget the conversation
/save FILE    write it to a file; --load FILE goes on with it
/help         this
/exit         end, as Ctrl-D does
A message that begins with / is written with two: //text. A line that ends with \\ goes on in the next.
What is typed during an answer is kept, and sent when the answer has ended.
Ctrl-C stops an answer, and what came of it stays; once more, and the program ends.
`;

/** Why an answer ended, where that is not its own end. */
const ENDS: Partial<Record<GenerationResult['stopReason'], string>> = {
  length: '--max-tokens reached',
  context: 'the context is full',
};

export class TerminalChat {
  readonly #input: LineInput;
  readonly #style: Style = styleOf(process.stdout);
  readonly #saved = new Set<string>();
  readonly #end = new AbortController();
  #answering: AbortController | undefined;
  #interrupts = 0;
  #dropped = 0;

  constructor(
    private readonly chat: Chat,
    private readonly options: ConversationOptions,
  ) {
    this.#input = new LineInput({
      prompt: this.#style.bold('> '),
      onInterrupt: () => this.#interrupt(),
      onEnd: () => this.#input.terminal && this.#answering?.abort(),
    });
  }

  /** Resolves at the end of input. Errors: Interrupted, and what an answer to a pipe fails with. */
  async run(): Promise<void> {
    const signal = AbortSignal.any([this.options.signal, this.#end.signal]);
    const close = () => this.#input.close();
    signal.addEventListener('abort', close);
    try {
      if (this.#input.terminal) await this.#note('/help lists the commands; Ctrl-D ends');
      for (let line = await this.#message(); line !== undefined; line = await this.#message()) {
        if (line.trim() === '/exit') break;
        await this.#take(line, signal);
      }
      if (this.#input.terminal) await write('\n');
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }

  /** A line, with those that go on with it. */
  async #message(): Promise<string | undefined> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.#input.next();
      if (line === undefined) return lines.length > 0 ? lines.join('\n') : undefined;
      if (!line.endsWith('\\')) return [...lines, line].join('\n');
      lines.push(line.slice(0, -1));
    }
  }

  async #take(line: string, signal: AbortSignal): Promise<void> {
    this.#interrupts = 0;
    try {
      if (line.startsWith('/') && !line.startsWith('//')) await this.#obey(line);
      else if (line.trim() !== '') await this.#answer(line.replace(/^\/\//, '/'), signal);
    } catch (thrown) {
      const error = withFlags(thrown);
      // A user reads it and goes on; a program behind a pipe does not.
      const goesOn = this.#input.terminal && (error instanceof RealizarError || error instanceof RunError);
      if (!goesOn || signal.aborted) throw error;
      say(error.message);
    }
  }

  async #obey(line: string): Promise<void> {
    const [command, ...words] = line.trim().split(/\s+/);
    const file = words.join(' ');
    if (command === '/help') return write(HELP.trimStart());
    if (command === '/reset') {
      this.chat.reset(this.options.system);
      this.#dropped = 0;
      return this.#note('the conversation is forgotten');
    }
    if (command !== '/save') throw new RunError(`there is no ${command}; /help lists the commands`);
    if (file === '') throw new RunError('/save needs the name of a file');
    const { messages } = this.chat;
    writeMessages(file, messages, this.#saved.has(file));
    this.#saved.add(file);
    return this.#note(`${messages.length} messages in ${file}`);
  }

  async #answer(message: string, signal: AbortSignal): Promise<void> {
    this.#answering = new AbortController();
    const stop = this.#answering.signal;
    const generation = this.chat.send(message, {
      ...this.options.generate,
      signal: AbortSignal.any([signal, stop]),
    });
    try {
      const shown = this.#input.terminal ? new ShownAnswer(this.#style) : undefined;
      for await (const piece of generation) await (shown ? shown.push(piece) : writeWriting(piece.text));
      await write('\n');
      const result = await generation.result;
      if (result.text === '') await this.#note('no text');
      await this.#remark(result);
    } catch (error) {
      if (!stop.aborted || signal.aborted) throw error;
      await write('\n');
      await this.#note('stopped');
    } finally {
      this.#answering = undefined;
    }
  }

  async #remark(result: GenerationResult): Promise<void> {
    const end = ENDS[result.stopReason];
    if (end !== undefined) await this.#note(end);
    const dropped = this.chat.droppedMessages;
    if (dropped > this.#dropped)
      await this.#note(`the context is full: the model sees no more of the ${dropped} oldest messages`);
    this.#dropped = dropped;
    if (this.options.verbose) say(describeResult(result));
  }

  /** Ctrl-C on a terminal. */
  #interrupt(): void {
    if (this.#answering === undefined && this.#input.clear()) this.#interrupts = 0;
    else if (this.#interrupts++ > 0) this.#end.abort(new Interrupted('interrupted'));
    else if (this.#answering) this.#answering.abort();
    else {
      process.stdout.write(`\n${this.#style.dim('(once more, or Ctrl-D, and the program ends)')}\n`);
      this.#input.askAgain();
    }
  }

  /** For a user; a program behind a pipe gets answers only. */
  async #note(text: string): Promise<void> {
    if (this.#input.terminal) await write(`(${text})\n`, this.#style.dim);
  }
}
