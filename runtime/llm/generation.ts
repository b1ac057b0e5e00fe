/** A generation under way: its pieces in a queue, its result, and one signal that ends it, whoever wants that. */
import { failure } from '../addon/errors.js';
import { Queue } from '../addon/queue.js';
import type { Generation, GenerationResult, Piece } from './types.js';

export type Work = (signal: AbortSignal, emit: (piece: Piece) => void) => Promise<GenerationResult>;

export class RunningGeneration implements Generation {
  readonly result: Promise<GenerationResult>;
  readonly #pieces = new Queue<Piece>();
  readonly #controller = new AbortController();
  #iterated = false;

  /** Starts the work. `signal` is the caller's. */
  constructor(work: Work, signal: AbortSignal | undefined) {
    this.result = this.#run(work, signal);
    this.result.catch(() => {}); // who only iterates has the failure from there
  }

  /** Ends it within a token; iteration and result reject with the reason. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece, void, undefined> {
    if (this.#iterated)
      throw failure('INVALID_ARGUMENT', 'a generation can be iterated once; its text is in its result');
    this.#iterated = true;
    try {
      yield* this.#pieces;
    } finally {
      if (!this.#pieces.ended) this.abort(new DOMException('the loop over the generation was left', 'AbortError'));
      await this.result.catch(() => {}); // its place is free
    }
  }

  async #run(work: Work, signal: AbortSignal | undefined): Promise<GenerationResult> {
    const abort = () => this.abort(signal!.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      this.#controller.signal.throwIfAborted();
      const result = await work(this.#controller.signal, (piece) => this.#pieces.push(piece));
      this.#pieces.end();
      return result;
    } catch (error) {
      this.#pieces.end({ error });
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}
