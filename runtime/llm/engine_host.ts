/** The engine that a model's texts come from, and how many of them run and wait. Where its device has failed it is replaced. */

import type { RunControl } from '../addon/engine.js';
import { RealizarError } from '../addon/errors.js';
import type { Engine, EngineRequest, EngineStatistics } from '../addon/index.js';
import type { RequestListener } from '../addon/listeners.js';
import type { Activity } from './types.js';

/** What a request is refused for, whatever state the engine is in. */
const REFUSALS = new Set(['INVALID_ARGUMENT', 'CONTEXT_FULL', 'OUT_OF_MEMORY']);

export class EngineHost {
  #engine: Engine;
  #replacing: Promise<void> | undefined;
  /** Of the engine before, while there is none. */
  #before: EngineStatistics | undefined;
  #running = 0;
  #waiting = 0;

  private constructor(
    engine: Engine,
    private readonly open: () => Promise<Engine>,
  ) {
    this.#engine = engine;
  }

  /** `open` is called again where the engine has to be replaced. */
  static async open(open: () => Promise<Engine>): Promise<EngineHost> {
    return new EngineHost(await open(), open);
  }

  get activity(): Activity {
    return { running: this.#running, waiting: this.#waiting };
  }

  statistics(): EngineStatistics {
    return this.#before ?? this.#engine.statistics();
  }

  /** Queues a request. Rejects where it cannot be computed, or where no engine can be had. */
  async start(request: EngineRequest, listener: RequestListener): Promise<RunControl> {
    const sequences = request.sequences ?? 1;
    this.#waiting += sequences;
    try {
      return await this.#start(request, this.#counted(sequences, listener));
    } catch (error) {
      this.#waiting -= sequences;
      throw error;
    }
  }

  async #start(request: EngineRequest, listener: RequestListener): Promise<RunControl> {
    const engine = this.#engine;
    try {
      return engine.start(request, listener);
    } catch (error) {
      if (error instanceof RealizarError && REFUSALS.has(error.statusName)) throw error;
      await this.#replace(engine, error);
    }
    return this.#engine.start(request, listener);
  }

  async #replace(failed: Engine, error: unknown): Promise<void> {
    if (this.#engine !== failed) return; // it has been
    const replace = async () => {
      this.#before ??= failed.statistics();
      await failed.abandon(error);
      this.#engine = await this.open();
      this.#before = undefined;
    };
    this.#replacing ??= replace().finally(() => {
      this.#replacing = undefined;
    });
    await this.#replacing;
  }

  /** Keeps the counts of a request that was counted as waiting. */
  #counted(sequences: number, listener: RequestListener): RequestListener {
    const begun = new Set<number>();
    let left = sequences;
    return {
      event: (event) => {
        if (event.kind === 'begun') {
          begun.add(event.index);
          this.#waiting--;
          this.#running++;
        } else if (event.kind === 'end') {
          left--;
          if (begun.delete(event.index)) this.#running--;
          else this.#waiting--;
        }
        listener.event(event);
      },
      fail: (error) => {
        this.#running -= begun.size;
        this.#waiting -= left - begun.size;
        listener.fail(error);
      },
    };
  }
}
