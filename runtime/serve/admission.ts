import { ApiError, shuttingDown } from './errors.js';

/** A request that was let in. */
export interface Place {
  /** Aborts when the client is gone, or the server cannot wait any longer. */
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  /** Once the client has its answer, or is gone. Further calls do nothing. */
  leave(): void;
}

/** Seconds. */
const LONGEST_RETRY = 60;
const FIRST_GUESS = 1;

/**
 * Decides who is let in: so many generations at once as there are slots, and so many more that wait, in the order in which
 * they came. A place is kept until the answer was taken, so that what slow readers leave in memory is bounded too.
 */
export class Admission {
  readonly #places = new Set<Place>();
  readonly #cutOff = new Set<Place>();
  #occupied = 0;
  #draining = false;
  #idle = () => {};
  /** Seconds, of the last ones more than of older ones. */
  #averageStay = FIRST_GUESS;

  constructor(
    readonly slots: number,
    /** Generations that may wait for a slot. */
    readonly queueLimit: number,
  ) {}

  get capacity(): number {
    return this.slots + this.queueLimit;
  }

  /** Generations that run, wait, or have an answer that was not taken yet. */
  get occupied(): number {
    return this.#occupied;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Lets a request for `count` generations in. Errors: 429 where the queue is full, 503 where the server is ending. */
  enter(count: number): Place {
    this.checkOpen();
    if (count > this.capacity) {
      const found = `this request asks for ${count} generations; this server takes at most ${this.capacity} at a time`;
      throw new ApiError(400, `Too many choices: ${found}. Lower n, or send fewer prompts.`, { param: 'n' });
    }
    if (this.#occupied + count > this.capacity) throw this.#full();
    return this.#occupy(count);
  }

  checkOpen(): void {
    if (this.#draining) throw shuttingDown();
  }

  /** From now on nobody is let in. Resolves once all have left, with how many were cut off: after `deadline` ms all are. */
  async drain(deadline: number): Promise<number> {
    this.#draining = true;
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    if (this.#places.size === 0) return 0;
    const timer = setTimeout(() => this.cutOff(), deadline);
    await idle;
    clearTimeout(timer);
    return this.#cutOff.size;
  }

  /** Ends what runs, with an error. */
  cutOff(): void {
    for (const place of this.#places) {
      this.#cutOff.add(place);
      place.abort(shuttingDown());
    }
  }

  #full(): ApiError {
    const ahead = this.#occupied - this.slots + 1;
    const seconds = Math.ceil((this.#averageStay * Math.max(ahead, 1)) / this.slots);
    const retryAfter = String(Math.min(Math.max(seconds, 1), LONGEST_RETRY));
    const message = `The server is busy: ${this.slots} generations run and ${this.queueLimit} wait, which is all it takes. Retry after ${retryAfter} s.`;
    return new ApiError(429, message, {
      type: 'rate_limit_error',
      code: 'queue_full',
      headers: { 'retry-after': retryAfter },
    });
  }

  #occupy(count: number): Place {
    const controller = new AbortController();
    const since = performance.now();
    this.#occupied += count;
    const place: Place = {
      signal: controller.signal,
      abort: (reason) => controller.abort(reason),
      leave: () => {
        if (!this.#places.delete(place)) return;
        this.#occupied -= count;
        this.#averageStay += ((performance.now() - since) / 1000 - this.#averageStay) / 8;
        if (this.#places.size === 0) this.#idle();
      },
    };
    this.#places.add(place);
    return place;
  }
}
