import { checkInteger, checkMode, type Mode } from './arguments.js';
import { failure, typed } from './errors.js';
import type { ModelInfo, NativeSession } from './native.js';

export interface StepOptions {
  /** `graph` (the default) launches the graph that {@link Session.buildGraph} built; `eager` launches its nodes one by one. */
  readonly mode?: Mode;
}

/**
 * KV cache, scratch memory, position and graph of one conversation.
 *
 * Calls run off the event loop, in the order in which they were made, whether or not each is awaited. A call that fails
 * rejects with a {@link RealizarError}, and the calls after it still run. After {@link Session.close} every call rejects
 * with the status `CLOSED`. A session that is garbage collected frees its memory too, but at a time nobody chose.
 */
export class Session {
  readonly #native: NativeSession;
  readonly #info: ModelInfo;
  #tail: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  /** @internal Sessions come from {@link Model.createSession}. */
  constructor(native: NativeSession, info: ModelInfo) {
    this.#native = native;
    this.#info = info;
  }

  /** Builds the CUDA graph of one token. Resolves with its number of kernel nodes. */
  buildGraph(): Promise<number> {
    return this.#enqueue(() => this.#native.buildGraph());
  }

  /**
   * Feeds one token at {@link Session.position} and moves the position on by one. Resolves once the work is queued on
   * the device; {@link Session.logits} and {@link Session.greedy} wait for it.
   */
  async step(token: number, options?: StepOptions): Promise<void> {
    checkInteger('token', token, this.#info.vocabSize - 1);
    const mode = checkMode(options);
    return this.#enqueue(() => this.#native.step(token, mode));
  }

  /**
   * Feeds `count` tokens, each the greedy choice of the step before it, without a round trip between them. Needs one step
   * before. Resolves with what was fed: the first entry is what {@link Session.greedy} would have answered before.
   */
  async runGreedy(count: number, options?: StepOptions): Promise<Int32Array> {
    checkInteger('count', count, this.#info.contextLength);
    const mode = checkMode(options);
    return this.#enqueue(() => this.#native.runGreedy(count, mode));
  }

  /** Logits of the last step, f32[vocabSize]: a new array for each call. */
  logits(): Promise<Float32Array> {
    return this.#enqueue(() => this.#native.logits());
  }

  /** The token with the largest logit of the last step; the first of equals. */
  greedy(): Promise<number> {
    return this.#enqueue(() => this.#native.greedy());
  }

  /** Tokens fed so far, as of the last call that has ended. */
  get position(): number {
    if (this.#closed) throw failure('CLOSED', 'the session is closed');
    return this.#native.position();
  }

  /** Forgets every position from `position` on: the next step is fed there. 0 empties the session. */
  async rewind(position: number): Promise<void> {
    checkInteger('position', position, this.#info.contextLength);
    return this.#enqueue(() => this.#native.rewind(position));
  }

  /** One line of text a node: kernel, grid, block, shared memory, edges, resolved arguments. */
  dumpNodes(): Promise<string> {
    return this.#enqueue(() => this.#native.dumpNodes());
  }

  /** Frees the session once the calls made before have ended. Closing twice is allowed. */
  close(): Promise<void> {
    this.#closed ??= this.#tail.then(() => typed(this.#native.close()));
    return this.#closed;
  }

  /** `await using session = ...`, where the language has it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #enqueue<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(failure('CLOSED', 'the session is closed'));
    const result = this.#tail.then(() => typed(call()));
    this.#tail = result.catch(() => {}); // the caller has the failure; the queue goes on
    return result;
  }
}
