import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EngineStatistics } from '../addon/index.js';
import type { Activity } from '../llm/index.js';
import type { Admission, Place } from './admission.js';
import { ApiError, loading, toApiError } from './errors.js';
import type { EventStreamOptions } from './events.js';
import type { Metrics } from './metrics.js';
import { DEFAULTS, type ServedModel, type ServeOptions } from './options.js';
import { TextQueue } from './text_queue.js';
import type { Trace } from './trace.js';

/** A request that was let in, and what is noted of it. */
export interface Visit extends Place {
  readonly trace: Trace;
}

interface Parts {
  readonly admission: Admission;
  /** Of requests about texts alone. */
  readonly texts: Admission;
  readonly metrics: Metrics;
}

/** What the routes share. */
export class Service {
  /** Seconds since 1970. */
  readonly started = Math.floor(Date.now() / 1000);
  readonly bodyLimit: number;
  readonly admission: Admission;
  readonly texts: Admission;
  readonly metrics: Metrics;
  readonly #textQueue = new TextQueue();
  readonly #stallTimeout: number;
  readonly #alias: string | undefined;
  #model: ServedModel | undefined;

  constructor({ admission, texts, metrics }: Parts, options: ServeOptions) {
    this.admission = admission;
    this.texts = texts;
    this.metrics = metrics;
    this.bodyLimit = options.bodyLimit ?? DEFAULTS.bodyLimit;
    this.#stallTimeout = options.stallTimeout ?? DEFAULTS.stallTimeout;
    this.#alias = options.alias;
  }

  /** From now on requests are answered. */
  open(model: ServedModel): void {
    this.#model = model;
    this.admission.open(model.info.sequences);
    this.texts.open(TextQueue.WIDTH);
  }

  /** Errors: 503 while there is none yet. */
  get model(): ServedModel {
    if (this.#model === undefined) throw loading();
    return this.#model;
  }

  get activity(): Activity {
    return this.#model?.activity ?? { running: 0, waiting: 0 };
  }

  /** Of the model's engine; undefined while there is none. */
  get statistics(): EngineStatistics | undefined {
    return this.#model?.statistics();
  }

  /** The model's id in the API. */
  get modelId(): string {
    return this.#alias ?? this.model.info.name;
  }

  /** Errors: 404 for another model than the one that is served. A request need not name one. */
  checkModel(id: string | undefined): void {
    if (id === undefined || id === this.modelId) return;
    const message = `The model '${id.slice(0, 100)}' does not exist. This server has '${this.modelId}'.`;
    throw new ApiError(404, message, { param: 'model', code: 'model_not_found' });
  }

  /** Lets a request for `count` generations in, until its answer was taken or the client is gone. */
  admit(request: FastifyRequest, reply: FastifyReply, count: number): Visit {
    return visit(this.admission.enter(count), request, reply);
  }

  /** Lets a request about a text in. */
  admitText(request: FastifyRequest, reply: FastifyReply): Visit {
    return visit(this.texts.enter(1), request, reply);
  }

  /** Work of the tokenizer on a text of this size, when it is this client's turn; not at all where the client is gone. */
  withText<T>({ trace, signal }: Visit, size: number, work: () => Promise<T>): Promise<T> {
    return this.#textQueue.run({ client: trace.client, size, signal, work });
  }

  eventStream({ trace }: FastifyRequest): EventStreamOptions {
    return {
      stallTimeout: this.#stallTimeout,
      describe: (error) => {
        trace.failure = error;
        return toApiError(error, this.bodyLimit).body;
      },
    };
  }
}

function visit(place: Place, { trace }: FastifyRequest, reply: FastifyReply): Visit {
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) place.abort(new Error('the client closed the connection'));
    place.leave();
  });
  return { ...place, trace };
}
