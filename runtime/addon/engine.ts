import './async_dispose.js';
import { checkBoolean, checkInteger, checkTokens, invalid } from './arguments.js';
import { failure, RealizarError, typed, typedError } from './errors.js';
import type { EngineEvent } from './event_batch.js';
import { Listeners, type RequestListener } from './listeners.js';
import type { EngineStatistics, ModelInfo, NativeEngine, NativeModel } from './native.js';
import { Queue } from './queue.js';
import { packSampling, type Sampling } from './sampling.js';

const MAX_INT32 = 2 ** 31 - 1;
const MAX_UINT32 = 2 ** 32 - 1;
const MAX_SEQUENCES = 1024;
const MAX_LOGPROBS = 128;
/** What the library refuses, as it is called here. */
const nameOption = (error: unknown): never => {
  if (!(error instanceof RealizarError)) throw error;
  const { status, statusName, message } = error;
  throw new RealizarError(status, statusName, message.replace(/^n_sequence is/, 'options.sequences is'));
};
const closed = () => failure('CLOSED', 'the engine is closed');

/** How an {@link Engine} is opened. */
export interface EngineOptions {
  /** Sequences that run at once at most; others wait in order. 0, the default: as many as a step can choose tokens for. */
  readonly sequences?: number;
  /** Positions of a sequence at most, prompt and answer; those compiled for unless given. */
  readonly context?: number;
  /**
   * Bytes of device memory for KV cache, which all sequences share. Unless given enough for `sequences` of `context`
   * positions, or what is free less a tenth of the device's memory, whichever is less.
   */
  readonly kvMemory?: number;
  /** A sequence that is alone is computed as those beside others are: slower, and by the same bits. False unless given. */
  readonly deterministic?: boolean;
}

/** What an {@link Engine} is to compute. */
export interface EngineRequest {
  /** At least one token. */
  readonly prompt: Iterable<number>;
  /** Tokens of each sequence at most; as many as the context has room for unless given. 0 is for `promptLogprobs`. */
  readonly maxTokens?: number;
  /** So many follow the prompt, 1 unless given; each draws with the seed plus its index. */
  readonly sequences?: number;
  /** How tokens are chosen; greedily unless given. */
  readonly sampling?: Sampling;
  /** The first of these ends a sequence, and is handed over. */
  readonly stopTokens?: Iterable<number>;
  /** Give log probabilities of chosen tokens, and of so many most probable ones, 0 to 128. */
  readonly logprobs?: number;
  /** Those of the prompt's tokens too; needs `logprobs`. The prompt is then computed whole. */
  readonly promptLogprobs?: boolean;
  /** Of two requests that wait the one with more is first; 0 unless given. */
  readonly priority?: number;
  /**
   * Each chosen token of each sequence waits for {@link EngineRun.setMask}: at most so many milliseconds, then the sequence ends with
   * an error; 0: 10 seconds.
   */
  readonly constrained?: number;
  /** Ends the request within a step; the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A request under way: iterate it, once, for its events. Leaving the loop ends it within a step. */
export interface EngineRun extends AsyncIterable<EngineEvent> {
  /** Ends its sequences, or the one with this index, within a step, with the reason `cancelled`. */
  cancel(index?: number): void;
  /**
   * Which tokens may come next in a constrained sequence that has so many chosen ones: token t where bit t % 32 of words[t / 32] is
   * 1, of the whole vocabulary; at least one. The first, of 0, may come at once, each later one after the event of the token before
   * it. One out of turn ends the sequence with an error; one of a sequence that has ended does nothing.
   */
  setMask(chosen: number, words: Uint32Array, index?: number): void;
}

/** What is done with a request that has a listener. */
export type RunControl = Pick<EngineRun, 'cancel' | 'setMask'>;

/**
 * Computes many sequences at once on one model, over one pool of KV cache: each step has a token of every sequence that
 * generates, and parts of prompts beside them. Where a prompt begins with tokens that an earlier one had, they are not
 * computed again. A sequence's tokens do not depend on what runs beside it.
 *
 * A request that fails ends alone. After a failure of the device every request ends with it, and {@link Engine.submit}
 * throws it: open another engine. After {@link Engine.close} every call fails with the status `CLOSED`.
 */
export class Engine {
  readonly #native: NativeEngine;
  readonly #info: ModelInfo;
  readonly #listeners: Listeners;
  #closed: Promise<void> | undefined;

  private constructor(native: NativeEngine, info: ModelInfo, listeners: Listeners) {
    this.#native = native;
    this.#info = info;
    this.#listeners = listeners;
  }

  /** @internal Engines come from {@link Model.createEngine}. */
  static async open(model: NativeModel, info: ModelInfo, options: EngineOptions): Promise<Engine> {
    if (typeof options !== 'object' || options === null) throw invalid('options', 'an object', options);
    const sequences = checkInteger('options.sequences', options.sequences ?? 0, MAX_SEQUENCES);
    const least = options.context === undefined ? 0 : 1;
    const context = checkInteger('options.context', options.context ?? 0, info.contextLength, least);
    const kvMemory = checkInteger('options.kvMemory', options.kvMemory ?? 0, Number.MAX_SAFE_INTEGER);
    const deterministic = checkBoolean('options.deterministic', options.deterministic ?? false);
    const listeners = new Listeners();
    const opening = model.openEngine(sequences, context, kvMemory, deterministic, listeners.onEvents);
    return new Engine(await typed(opening).catch(nameOption), info, listeners);
  }

  /** Queues a request, which runs whether or not anybody iterates it. Throws a RealizarError for what cannot be computed. */
  submit(request: EngineRequest): EngineRun {
    const { signal } = request;
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw invalid('request.signal', 'an AbortSignal', signal);
    signal?.throwIfAborted();
    const events = new Queue<EngineEvent>();
    let left = request.sequences ?? 1;
    const { cancel, setMask } = this.start(request, {
      event: (event) => {
        events.push(event);
        if (event.kind === 'end' && --left === 0) end();
      },
      fail: (error) => end({ error }),
    });
    const abort = () => {
      end({ error: signal!.reason });
      cancel();
    };
    const end = (failed?: { error: unknown }) => {
      signal?.removeEventListener('abort', abort);
      events.end(failed);
    };
    signal?.addEventListener('abort', abort, { once: true });
    return {
      cancel,
      setMask,
      async *[Symbol.asyncIterator]() {
        try {
          yield* events;
        } finally {
          cancel();
        }
      },
    };
  }

  /** @internal The same for a listener, which must not throw. */
  start(request: EngineRequest, listener: RequestListener): RunControl {
    if (typeof request !== 'object' || request === null) throw invalid('request', 'an object', request);
    if (this.#closed) throw closed();
    const { vocabSize } = this.#info;
    const sequences = checkInteger('request.sequences', request.sequences ?? 1, MAX_SEQUENCES, 1);
    const promptLogprobs = checkBoolean('request.promptLogprobs', request.promptLogprobs ?? false);
    if (promptLogprobs && request.logprobs === undefined)
      throw invalid('request.logprobs', `an integer from 0 to ${MAX_LOGPROBS} with promptLogprobs`, undefined);
    const id = this.#submit(
      checkTokens('request.prompt', request.prompt, vocabSize),
      checkInteger('request.maxTokens', request.maxTokens ?? MAX_UINT32, MAX_UINT32),
      sequences,
      checkTokens('request.stopTokens', request.stopTokens ?? [], vocabSize),
      request.logprobs === undefined ? -1 : checkInteger('request.logprobs', request.logprobs, MAX_LOGPROBS),
      promptLogprobs,
      checkInteger('request.priority', request.priority ?? 0, MAX_INT32, -MAX_INT32 - 1),
      request.constrained !== undefined,
      checkInteger('request.constrained', request.constrained ?? 0, MAX_INT32),
      ...packSampling(request.sampling ?? {}, vocabSize, 'request.sampling'),
    );
    this.#listeners.add(id, { listener, left: sequences, owner: this });
    return {
      cancel: (index) => this.#cancel(id, index),
      setMask: (chosen, words, index = 0) => this.#setMask(id, index, chosen, words),
    };
  }

  /** What it is doing, and has done. */
  statistics(): EngineStatistics {
    if (this.#closed) throw closed();
    return this.#native.statistics();
  }

  /** Ends what runs, each with the status `CLOSED`, and frees the device's memory. Closing twice is allowed. */
  close(): Promise<void> {
    return this.abandon(closed());
  }

  /** @internal The same; what runs ends with this error. */
  abandon(error: unknown): Promise<void> {
    this.#closed ??= typed(this.#native.close());
    this.#listeners.failAll(error);
    return this.#closed;
  }

  /** `await using engine = ...`, where the language has it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #submit(...request: Parameters<NativeEngine['submit']>): number {
    try {
      return this.#native.submit(...request);
    } catch (error) {
      throw typedError(error);
    }
  }

  #setMask(request: number, index: number, chosen: number, words: Uint32Array): void {
    checkInteger('chosen', chosen, MAX_UINT32);
    checkInteger('index', index, MAX_SEQUENCES - 1);
    if (!(words instanceof Uint32Array)) throw invalid('words', 'a Uint32Array', words);
    if (this.#closed || !this.#listeners.has(request)) return;
    try {
      this.#native.setMask(request, index, chosen, words);
    } catch (error) {
      throw typedError(error);
    }
  }

  #cancel(request: number, index: number | undefined): void {
    if (index !== undefined) checkInteger('index', index, MAX_SEQUENCES - 1);
    if (!this.#closed && this.#listeners.has(request)) this.#native.cancel(request, index);
  }
}
