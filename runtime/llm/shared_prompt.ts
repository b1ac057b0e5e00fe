/** Sequences that follow one prompt: one request to the engine, of which each ends when nobody hears it any more. */
import type { RunControl } from '../addon/engine.js';
import type { EngineEvent, EngineRequest } from '../addon/index.js';
import { Queue } from '../addon/queue.js';
import type { Constraint } from './constraint.js';
import type { EngineHost } from './engine_host.js';
import { PATIENCE } from './formats.js';

/** The engine waits longer for a mask than the thread that makes it is waited for, which says more when it is late. */
const MASK_MILLISECONDS = 2 * PATIENCE;

/** Holds so many sequences to a format; `onFailure` hears why one cannot go on. */
export type Constrain = (count: number, onFailure: (index: number, error: unknown) => void) => Constraint;

/** One of them, for who hears it. */
export interface Sequence {
  /** Until it ends. Throws what {@link SequenceFeed.fail} is given. */
  readonly events: AsyncIterable<EngineEvent>;
}

export class SharedPrompt {
  readonly sequences: readonly SequenceFeed[];
  #heard: number;
  #run: RunControl | undefined;

  constructor(count: number) {
    this.sequences = Array.from({ length: count }, (_, index) => new SequenceFeed(() => this.#left(index)));
    this.#heard = count;
  }

  /** Submits the request, unless everybody has gone. `constrain`: to hold its sequences to a format. */
  async submit(engine: EngineHost, request: EngineRequest, constrain?: Constrain): Promise<void> {
    if (this.#heard === 0) return;
    const { sequences } = this;
    const constraint = constrain?.(sequences.length, (index, error) => {
      sequences[index]!.fail(error);
      this.#run?.cancel(index);
    });
    try {
      this.#run = await engine.start(
        { ...request, sequences: sequences.length, ...(constraint && { constrained: MASK_MILLISECONDS }) },
        {
          event: (event) => {
            constraint?.hear(event);
            sequences[event.index]!.push(event);
          },
          fail: (error) => {
            constraint?.end();
            for (const sequence of sequences) sequence.end(error);
          },
        },
      );
    } catch (error) {
      constraint?.end();
      throw error;
    }
    constraint?.start(this.#run);
    for (const [index, sequence] of sequences.entries()) if (sequence.left) this.#run.cancel(index);
  }

  /** One more is heard by nobody. Returns whether it is under way, and ends now. */
  #left(index: number): boolean {
    this.#heard--;
    if (this.#run === undefined) return false;
    this.#run.cancel(index);
    return true;
  }
}

class SequenceFeed implements Sequence {
  readonly events = new Queue<EngineEvent>();
  readonly #ended: Promise<void>;
  #end = () => {};
  #hasEnded = false;
  /** Nobody hears it. */
  left = false;

  constructor(private readonly onLeft: () => boolean) {
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  push(event: EngineEvent): void {
    this.events.push(event);
    if (event.kind === 'end') this.end();
  }

  /** No more events come. */
  end(...[error]: [error?: unknown]): void {
    this.events.end(error === undefined ? undefined : { error });
    this.#hasEnded = true;
    this.#end();
  }

  /** Who hears it is to have this error at once. */
  fail(error: unknown): void {
    this.events.end({ error });
  }

  /** Nobody hears it any more. Resolves when it has ended. */
  async leave(): Promise<void> {
    this.events.end();
    this.left = true;
    if (!this.#hasEnded && this.onLeft()) await this.#ended;
  }
}
