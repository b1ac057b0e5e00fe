import './async_dispose.js';
import { checkInteger } from './arguments.js';
import { failure, typed } from './errors.js';
import type { ModelInfo, NativeModel } from './native.js';
import { Session } from './session.js';

/**
 * A compiled model with its weights on a device. Any number of sessions share it.
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
  // Weak, so that a session nobody holds can be collected while its model lives.
  #sessions: WeakRef<Session>[] = [];
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
  async createSession(): Promise<Session> {
    if (this.#closed) throw failure('CLOSED', 'the model is closed');
    const opening = typed(this.#native.openSession()).then((native) => this.#track(new Session(native, this.info)));
    this.#opening.add(opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(opening);
    }
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

  /** Closes the sessions, each after the calls made on it, then frees the weights. Closing twice is allowed. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  /** `await using model = ...`, where the language has it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #track(session: Session): Session {
    this.#sessions = this.#sessions.filter((known) => known.deref() !== undefined);
    this.#sessions.push(new WeakRef(session));
    return session;
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled(this.#opening);
    await Promise.all(this.#sessions.map((known) => known.deref()?.close()));
    await typed(this.#native.close());
  }
}
