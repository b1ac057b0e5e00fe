/** A model's sessions: who gets which, and who waits. */
import type { Slot } from './slot.js';

interface Waiter {
  take(slot: Slot): void;
  fail(error: unknown): void;
}

export class SessionPool {
  /** Those not in use; the one longest unused first. */
  readonly #idle: Slot[];
  /** In the order in which they came. */
  readonly #waiting: Waiter[] = [];
  readonly #size: number;

  constructor(slots: readonly Slot[]) {
    this.#idle = [...slots];
    this.#size = slots.length;
  }

  get running(): number {
    return this.#size - this.#idle.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits for a slot, which must be released. Rejects with the signal's reason. */
  async acquire(prompt: readonly number[], signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    return this.#choose(prompt) ?? this.#wait(signal);
  }

  release(slot: Slot): void {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.take(slot);
    else this.#idle.push(slot);
  }

  /**
   * The slot that holds most of the prompt, unless it holds still more that another conversation may go on with; then the one
   * longest unused.
   */
  #choose(prompt: readonly number[]): Slot | undefined {
    const candidates = this.#idle.map((slot) => ({ slot, common: slot.common(prompt) }));
    const best = candidates
      .filter(({ slot, common }) => common > 0 && 2 * common >= slot.size)
      .sort((a, b) => b.common - a.common)[0];
    const slot = best?.slot ?? this.#idle[0];
    if (slot) this.#idle.splice(this.#idle.indexOf(slot), 1);
    return slot;
  }

  #wait(signal: AbortSignal): Promise<Slot> {
    return new Promise((resolve, reject) => {
      const abort = () => waiter.fail(signal.reason);
      const leave = () => signal.removeEventListener('abort', abort);
      const waiter: Waiter = {
        take: (slot) => {
          leave();
          resolve(slot);
        },
        fail: (error) => {
          leave();
          this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
          reject(error);
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiter);
    });
  }
}
