import { setMaxListeners } from 'node:events';
import { ApiError, loading, shuttingDown } from './errors.js';

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
/** What is cut off has so long to say so, ms. */
const LAST_WORDS = 5_000;

/**
 * Decides who is let in: so many at once as there are slots, and so many more that wait. A place is kept until the answer was
 * taken, so that what slow readers leave in memory is bounded too. Until it is opened there are no slots, and nobody is let in.
 */
export class Admission {
  readonly #places = new Set<Place>();
  readonly #cutOff = new Set<Place>();
  #slots = 0;
  #occupied = 0;
  #draining = false;
  #ended = () => {};
  /** Seconds, of the last ones more than of older ones. */
  #averageStay = FIRST_GUESS;

  constructor(
    /** How many may wait for a slot. */
    readonly queueLimit: number,
    /** What is let in, for messages. */
    private readonly what = 'generations',
  ) {}

  open(slots: number): void {
    this.#slots = slots;
  }

  get slots(): number {
    return this.#slots;
  }

  get capacity(): number {
    return this.slots + this.queueLimit;
  }

  /** Those that run, wait, or have an answer that was not taken yet. */
  get occupied(): number {
    return this.#occupied;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get loading(): boolean {
    return this.#slots === 0 && !this.#draining;
  }

  /** Lets a request for `count` in. Errors: 429 where the queue is full, 503 where the server is ending. */
  enter(count: number): Place {
    this.checkOpen();
    if (count > this.capacity) {
      const found = `this request asks for ${count} ${this.what}; this server takes at most ${this.capacity} at a time`;
      throw new ApiError(400, `Too many choices: ${found}. Lower n, or send fewer prompts.`, { param: 'n' });
    }
    if (this.#occupied + count > this.capacity) throw this.#full();
    return this.#occupy(count);
  }

  checkOpen(): void {
    if (this.#draining) throw shuttingDown();
    if (this.loading) throw loading();
  }

  /**
   * From now on nobody is let in. Resolves once all have left, with how many were cut off: after `deadline` ms all are, and
   * those that do not leave then are not waited for.
   */
  async drain(deadline: number): Promise<number> {
    this.#draining = true;
    if (this.#places.size === 0) return 0;
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    const timer = setTimeout(() => this.cutOff(), deadline);
    await ended;
    clearTimeout(timer);
    return this.#cutOff.size;
  }

  /** Ends what runs, with an error. */
  cutOff(): void {
    for (const place of this.#places) {
      this.#cutOff.add(place);
      place.abort(shuttingDown());
    }
    setTimeout(() => this.#ended(), LAST_WORDS).unref();
  }

  #full(): ApiError {
    const ahead = this.#occupied - this.slots + 1;
    const seconds = Math.ceil((this.#averageStay * Math.max(ahead, 1)) / this.slots);
    const retryAfter = String(Math.min(Math.max(seconds, 1), LONGEST_RETRY));
    const message = `The server is busy: ${this.slots} ${this.what} run and ${this.queueLimit} wait, which is all it takes. Retry after ${retryAfter} s.`;
    return new ApiError(429, message, {
      type: 'rate_limit_error',
      code: 'queue_full',
      headers: { 'retry-after': retryAfter },
    });
  }

  #occupy(count: number): Place {
    const controller = new AbortController();
    setMaxListeners(0, controller.signal); // every text and choice of a request listens
    const since = performance.now();
    this.#occupied += count;
    const place: Place = {
      signal: controller.signal,
      abort: (reason) => controller.abort(reason),
      leave: () => {
        if (!this.#places.delete(place)) return;
        this.#occupied -= count;
        this.#averageStay += ((performance.now() - since) / 1000 - this.#averageStay) / 8;
        if (this.#places.size === 0) this.#ended();
      },
    };
    this.#places.add(place);
    return place;
  }
}
