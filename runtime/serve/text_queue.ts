/** Who may use the tokenizer next. A text of a megabyte takes it seconds, and there is one thread for long ones. */

/** What one text asks for. */
export interface TextJob<T> {
  /** Whom it is for: clients take turns. */
  readonly client: string;
  /** UTF-16 units, or what costs as much. */
  readonly size: number;
  /** Work that nobody waits for any more is not begun. */
  readonly signal: AbortSignal;
  readonly work: () => Promise<T>;
}

interface Waiting {
  readonly client: string;
  /** Of two texts of a client the one with the earlier deadline comes first: short ones need not wait for long ones. */
  readonly deadline: number;
  readonly start: () => void;
}

/** Texts up to this size never wait for longer ones. */
const SHORT = 1 << 14;
/** Milliseconds that a text may be overtaken for, by unit: a megabyte waits for what is short and comes within half a minute. */
const PATIENCE = 0.03;

/** Some work at a time; the next is for the client that was served the longest time ago. */
class Lane {
  readonly #waiting = new Set<Waiting>();
  /** When a client had its last turn, of those that have come while somebody waited. */
  readonly #served = new Map<string, number>();
  #turns = 0;
  #free: number;

  constructor(width: number) {
    this.#free = width;
  }

  async run<T>({ client, size, signal, work }: TextJob<T>): Promise<T> {
    signal.throwIfAborted();
    await this.#turn(client, performance.now() + PATIENCE * size, signal);
    try {
      return await work();
    } finally {
      this.#free++;
      this.#next();
    }
  }

  #turn(client: string, deadline: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = () => {
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', give);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      const start = () => {
        this.#free--;
        this.#served.set(client, ++this.#turns);
        give();
      };
      const waiting = { client, deadline, start };
      signal.addEventListener('abort', give, { once: true });
      this.#waiting.add(waiting);
      this.#next();
    });
  }

  #next(): void {
    if (this.#waiting.size === 0) this.#served.clear();
    if (this.#free === 0 || this.#waiting.size === 0) return;
    const last = ({ client }: Waiting) => this.#served.get(client) ?? 0;
    const before = (a: Waiting, b: Waiting) => last(a) - last(b) || a.deadline - b.deadline;
    const best = [...this.#waiting].reduce((best, one) => (before(one, best) < 0 ? one : best));
    best.start();
  }
}

export class TextQueue {
  readonly #short = new Lane(3);
  readonly #long = new Lane(1);
  /** How much runs at once. */
  static readonly WIDTH = 4;

  /** Runs the work when it is its turn. Rejects with the signal's reason where that comes first. */
  run<T>(job: TextJob<T>): Promise<T> {
    return (job.size <= SHORT ? this.#short : this.#long).run(job);
  }
}
