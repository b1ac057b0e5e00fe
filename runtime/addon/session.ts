import './async_dispose.js';
import { checkInteger, checkMode, checkTokens, invalid, type Mode } from './arguments.js';
import { failure, typed } from './errors.js';
import type { ModelInfo, NativeSession } from './native.js';
import { Queue } from './queue.js';
import { packSampling, type Sampling } from './sampling.js';

const MAX_UINT32 = 2 ** 32 - 1;
const closed = () => failure('CLOSED', 'the session is closed');

/** How steps are run. */
export interface StepOptions {
  /** `graph` (the default) launches the graph that {@link Session.buildGraph} built; `eager` launches its nodes one by one. */
  readonly mode?: Mode;
}

/** Of a prompt. */
export interface PrefillOptions extends StepOptions {
  /** Ends it within a token; it then rejects with the signal's reason, and what has been fed stays. */
  readonly signal?: AbortSignal;
}

/** Of tokens that are generated one after another. */
export interface SessionGenerateOptions extends StepOptions {
  /** Fed before the first token is generated, as by {@link Session.prefill}. */
  readonly prompt?: Iterable<number>;
  /** At most so many tokens; as many as the context has room for unless given. */
  readonly maxTokens?: number;
  /** The first of these ends it, and is handed over. */
  readonly stopTokens?: Iterable<number>;
  /** Ends it within a token; the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal;
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
  readonly #generations = new Set<(error: unknown) => void>();

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
   * Feeds tokens one after the other, without a round trip between them. Resolves once the device has done them all;
   * {@link Session.logits} and {@link Session.chosen} are then those after the last. On a thread of its own.
   */
  async prefill(tokens: Iterable<number>, options: PrefillOptions = {}): Promise<void> {
    const generation = this.generate({
      ...options,
      prompt: checkTokens('tokens', tokens, this.#info.vocabSize),
      maxTokens: 0,
    });
    for await (const _ of generation);
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

  /** How tokens are chosen from the next step on. */
  async setSampling(sampling: Sampling): Promise<void> {
    const packed = packSampling(sampling, this.#info.vocabSize);
    return this.#enqueue(() => this.#native.setSampling(...packed));
  }

  /**
   * The token that the last step chose, the one chosen once that is fed, and so on, each as soon as the device has it.
   * Needs a prompt, or one step before. The last token has not been fed: a {@link Session.step} with it goes on from there. Leaving
   * the loop ends the generation within a token, and forgets what had been fed beyond the tokens that the loop has seen.
   * It begins when its first token is asked for; until the loop has ended the session is for nothing else but closing.
   */
  async *generate(options: SessionGenerateOptions = {}): AsyncGenerator<number, void, undefined> {
    const mode = checkMode(options);
    const { signal } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw invalid('options.signal', 'an AbortSignal', signal);
    const count = checkInteger('options.maxTokens', options.maxTokens ?? MAX_UINT32, MAX_UINT32);
    const prompt = checkTokens('options.prompt', options.prompt ?? [], this.#info.vocabSize);
    const stop = checkTokens('options.stopTokens', options.stopTokens ?? [], this.#info.vocabSize);
    signal?.throwIfAborted();
    const tokens = new Queue<number>();
    let first = 0;
    let begun = false;
    let running = false;
    const done = this.#enqueue(async () => {
      if (tokens.ended) return;
      first = this.#native.position() + prompt.length;
      begun = running = true;
      await this.#native
        .generate(prompt, count, stop, mode, (token) => tokens.push(token))
        .finally(() => {
          running = false;
        });
    });
    const end = (error?: unknown) => {
      tokens.end(error === undefined ? undefined : { error });
      if (running) this.#native.stopGenerating();
    };
    const abort = () => end(signal!.reason);
    this.#generations.add(end);
    signal?.addEventListener('abort', abort, { once: true });
    done.then(
      () => tokens.end(),
      (error) => tokens.end({ error }),
    );
    let seen = 0;
    try {
      for await (const token of tokens) {
        seen++;
        yield token;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#generations.delete(end);
      end();
      // What failed has been thrown by the queue. Position says what the loop knows of, whatever came after it.
      await done.catch(() => {});
      const position = first + Math.max(seen, 1) - 1;
      if (begun && !this.#closed && this.#native.position() > position) await this.rewind(position);
    }
  }

  /** Logits of the last step, f32[vocabSize], before biases and penalties: a new array for each call. */
  logits(): Promise<Float32Array> {
    return this.#enqueue(() => this.#native.logits());
  }

  /** The token that the last step chose. */
  chosen(): Promise<number> {
    return this.#enqueue(() => this.#native.chosen());
  }

  /** {@link Session.chosen}, where that is the largest logit, the first of equals; rejects where a temperature was set. */
  greedy(): Promise<number> {
    return this.#enqueue(() => this.#native.greedy());
  }

  /** Tokens fed so far, as of the last call that has ended. */
  get position(): number {
    if (this.#closed) throw closed();
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

  /** Frees the session once the calls made before have ended; a generation ends now. Closing twice is allowed. */
  close(): Promise<void> {
    for (const end of this.#generations) end(closed());
    this.#closed ??= this.#tail.then(() => typed(this.#native.close()));
    return this.#closed;
  }

  /** `await using session = ...`, where the language has it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #enqueue<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closed());
    const result = this.#tail.then(() => typed(call()));
    this.#tail = result.catch(() => {}); // the caller has the failure; the queue goes on
    return result;
  }
}
