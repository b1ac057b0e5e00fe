/** Lines that a user types, or that come from a file or a pipe, one at a time. */
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';

/** Lines of a pipe that are read ahead. */
const AHEAD = 64;

export interface LineInputOptions {
  /** Where stdin and stdout are a terminal. */
  readonly prompt: string;
  /** Ctrl-C, which is no signal while a terminal's keys are read one by one. */
  readonly onInterrupt: () => void;
  /** No more lines come. */
  readonly onEnd: () => void;
}

export class LineInput {
  readonly terminal: boolean;
  readonly #prompt: string;
  readonly #screen: Screen;
  readonly #readline: Interface;
  /** That nobody has asked for yet, and who waits for one. */
  readonly #lines: string[] = [];
  #waiting: ((line: string | undefined) => void) | undefined;
  #closed = false;

  constructor({ prompt, onInterrupt, onEnd }: LineInputOptions) {
    this.terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
    this.#prompt = prompt;
    this.#screen = new Screen();
    this.#readline = createInterface({
      input: process.stdin,
      ...(this.terminal && { output: this.#screen }),
      terminal: this.terminal,
      prompt,
    });
    this.#readline.on('SIGINT', onInterrupt);
    this.#readline.on('line', (line) => this.#take(line));
    this.#readline.on('close', () => {
      this.#closed = true;
      this.#hand(undefined);
      onEnd();
    });
  }

  /**
   * The next line; undefined where there is none. On a terminal what is typed shows while it is waited for; a line that was typed
   * before shows when it is taken.
   */
  async next(): Promise<string | undefined> {
    const line = this.#lines.shift();
    if (line !== undefined) {
      if (this.terminal) process.stdout.write(`${this.#prompt}${line}\n`);
      return line;
    }
    if (this.#closed) return undefined;
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#screen.shown = true;
      if (this.terminal) this.#ask();
      else this.#readline.resume();
    });
  }

  /** Drops what has been typed of a line. Returns whether that was anything. */
  clear(): boolean {
    const typed = this.#readline.line !== '';
    this.#readline.write(null, { ctrl: true, name: 'e' });
    this.#readline.write(null, { ctrl: true, name: 'u' });
    return typed;
  }

  /** The prompt again, below what was printed. */
  askAgain(): void {
    if (this.#screen.shown && !this.#closed) this.#ask();
  }

  close(): void {
    this.#readline.close();
  }

  /** The prompt, and what has been typed of a line already. */
  #ask(): void {
    Object.assign(this.#readline, { prevRows: 0 }); // what it drew while nothing was shown takes no rows
    this.#readline.prompt(true);
  }

  #take(line: string): void {
    if (this.#waiting) this.#hand(line);
    else this.#lines.push(line);
    if (!this.terminal && this.#lines.length >= AHEAD) this.#readline.pause();
  }

  #hand(line: string | undefined): void {
    this.#screen.shown = false;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
  }
}

/** What readline draws: nothing while an answer is printed, whose reader may type the next line already. */
class Screen extends Writable {
  shown = false;

  get columns(): number {
    return process.stdout.columns;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.shown) process.stdout.write(chunk);
    done();
  }
}
