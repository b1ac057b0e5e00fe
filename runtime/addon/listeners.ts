/** Who hears what an engine's events say. */
import { typedError } from './errors.js';
import { type EngineEvent, readBatch } from './event_batch.js';
import type { OnEvents } from './native.js';

/** What hears of a request: its events, or why no more will come. */
export interface RequestListener {
  event(event: EngineEvent): void;
  fail(error: unknown): void;
}

interface Heard {
  readonly listener: RequestListener;
  /** Sequences that have not ended. */
  left: number;
  /** The engine, which is not to be collected while something of it runs. */
  readonly owner: object;
}

/** Who hears what. The native engine holds this, and not the engine, so that one that nobody holds can be collected. */
export class Listeners {
  readonly #heard = new Map<number, Heard>();

  add(request: number, heard: Heard): void {
    this.#heard.set(request, heard);
  }

  has(request: number): boolean {
    return this.#heard.has(request);
  }

  readonly onEvents: OnEvents = (...batch) => {
    const [numbers, , , failed] = batch;
    if (numbers === undefined) this.failAll(typedError(failed));
    else readBatch(batch, (request, event) => this.#hear(request, event));
  };

  failAll(error: unknown): void {
    const all = [...this.#heard.values()];
    this.#heard.clear();
    for (const { listener } of all) listener.fail(error);
  }

  #hear(request: number, event: EngineEvent): void {
    const heard = this.#heard.get(request);
    if (heard === undefined) return;
    if (event.kind === 'end' && --heard.left === 0) this.#heard.delete(request);
    heard.listener.event(event);
  }
}
