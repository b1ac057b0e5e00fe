/** SIGTERM, SIGINT and what else asks the server to end, from now on: none is lost while nobody waits. */
export class Signals {
  static readonly #names = ['SIGTERM', 'SIGINT'] as const;
  readonly #come: string[] = [];
  #take: ((signal: string) => void) | undefined;

  constructor() {
    for (const name of Signals.#names) process.on(name, this.note);
  }

  next(): Promise<string> {
    return new Promise((resolve) => {
      this.onNext(resolve);
    });
  }

  /** Hears of the next one, unless the function that it returns is called before. */
  onNext(take: (signal: string) => void): () => void {
    const waiting = this.#come.shift();
    if (waiting !== undefined) take(waiting);
    else this.#take = take;
    return () => {
      if (this.#take === take) this.#take = undefined;
    };
  }

  end(): void {
    for (const name of Signals.#names) process.off(name, this.note);
  }

  readonly note = (signal: string): void => {
    const take = this.#take;
    this.#take = undefined;
    if (take) take(signal);
    else this.#come.push(signal);
  };
}
