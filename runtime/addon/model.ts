import './async_dispose.js';
import { checkInteger } from './arguments.js';
import { Engine, type EngineOptions } from './engine.js';
import { failure, typed } from './errors.js';
import type { ModelInfo, NativeModel } from './native.js';
import { Session } from './session.js';

/**
 * A compiled model with its weights on a device. Any number of sessions and engines share it.
 *
 * Close it when done: the weights are device memory that the garbage collector does not see. After {@link Model.close}
 * every call rejects with the status `CLOSED`.
 */
export class Model {
  /** What was fixed when the model was compiled. */
  readonly info: ModelInfo;
  /** The GPU's name, or what stands for it on the host target. */
  readonly deviceName: string;
  readonly #native: NativeModel;
  // Weak, so that a session or an engine that nobody holds can be collected while its model lives.
  #opened: WeakRef<Session | Engine>[] = [];
  #opening = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  /** @internal Models come from openModel. */
  constructor(native: NativeModel) {
    this.#native = native;
    const info = native.info();
    this.info = Object.freeze({ ...info, gpuArchs: info.gpuArchs.split(',').filter((arch) => arch !== '') });
    this.deviceName = native.deviceName();
  }

  /** Allocates a KV cache and scratch memory for one conversation, at position 0 and without a graph. */
  createSession(): Promise<Session> {
    return this.#open(async () => new Session(await typed(this.#native.openSession()), this.info));
  }

  /** Takes memory for the KV cache of many sequences, which then run at the same time. */
  createEngine(options: EngineOptions = {}): Promise<Engine> {
    return this.#open(() => Engine.open(this.#native, this.info, options));
  }

  /**
   * Bytes of KV cache that one token reads where it is the last of so many positions. Not always so many times
   * {@link ModelInfo.kvRowBytes}: layers with a window read only the newest.
   */
  kvReadBytes(positions: number): number {
    if (this.#closed) throw failure('CLOSED', 'the model is closed');
    return this.#native.kvReadBytes(checkInteger('positions', positions, this.info.contextLength));
  }

  /** Measures the device's streaming-read ceiling: bytes a second of a kernel that only reads. Decoding is judged by it. */
  async measureReadCeiling(): Promise<number> {
    if (this.#closed) throw failure('CLOSED', 'the model is closed');
    return typed(this.#native.measureReadCeiling());
  }

  /** Closes the sessions, each after the calls made on it, and the engines, then frees the weights. Closing twice is allowed. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  /** `await using model = ...`, where the language has it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #open<T extends Session | Engine>(create: () => Promise<T>): Promise<T> {
    if (this.#closed) throw failure('CLOSED', 'the model is closed');
    const opening = create().then((opened) => this.#track(opened));
    this.#opening.add(opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(opening);
    }
  }

  #track<T extends Session | Engine>(opened: T): T {
    this.#opened = this.#opened.filter((known) => known.deref() !== undefined);
    this.#opened.push(new WeakRef(opened));
    return opened;
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled(this.#opening);
    await Promise.all(this.#opened.map((known) => known.deref()?.close()));
    await typed(this.#native.close());
  }
}
