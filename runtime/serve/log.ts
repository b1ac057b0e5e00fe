/** Writes lines. One that cannot be written is dropped and counted: a log ends nothing. */
export class Log {
  dropped = 0;
  #lost = 0;

  constructor(
    private readonly write: (line: string) => void,
    /** Hears of the first line that was dropped. */
    private readonly broken: (problem: string) => void,
  ) {}

  line(text: string): void {
    try {
      if (this.#lost > 0) this.write(`log: ${this.#lost} lines could not be written`);
      this.#lost = 0;
      this.write(text);
    } catch (error) {
      this.#lost++;
      if (++this.dropped === 1) this.broken(`the log cannot be written: ${(error as Error).message}`);
    }
  }
}
