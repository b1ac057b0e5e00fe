/** Lines that a user types, or that come from a file or a pipe, one at a time. */
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';

export class LineInput {
  readonly terminal: boolean;
  readonly #screen: Screen;
  readonly #readline: Interface;
  readonly #lines: AsyncIterator<string>;
  #closed = false;

  /** `onInterrupt`: Ctrl-C, which is no signal while a terminal's keys are read one by one. `onEnd`: no more lines come. */
  constructor({ prompt, onInterrupt, onEnd }: { prompt: string; onInterrupt: () => void; onEnd: () => void }) {
    this.terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
    this.#screen = new Screen();
    this.#readline = createInterface({
      input: process.stdin,
      ...(this.terminal && { output: this.#screen }),
      terminal: this.terminal,
      prompt,
    });
    this.#readline.on('SIGINT', onInterrupt);
    this.#readline.on('close', () => {
      this.#closed = true;
      onEnd();
    });
    this.#lines = this.#readline[Symbol.asyncIterator]();
  }

  /** The next line; undefined where there is none. On a terminal what is typed shows until the line has come. */
  async next(): Promise<string | undefined> {
    this.#screen.shown = true;
    if (this.terminal && !this.#closed) this.#readline.prompt(true); // it would read on again
    const { value, done } = await this.#lines.next();
    this.#screen.shown = false;
    return done ? undefined : value;
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
    if (this.#screen.shown && !this.#closed) this.#readline.prompt(true);
  }

  close(): void {
    this.#readline.close();
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
