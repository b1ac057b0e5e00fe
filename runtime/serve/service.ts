import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Admission, Place } from './admission.js';
import { ApiError, toApiError } from './errors.js';
import type { EventStreamOptions } from './events.js';
import type { Trace } from './log.js';
import type { Metrics } from './metrics.js';
import { DEFAULTS, type ServedModel, type ServeOptions } from './options.js';

/** A request that was let in, and what is noted of it. */
export interface Visit extends Place {
  readonly trace: Trace;
}

/** What the routes share. */
export class Service {
  /** The model's id in the API. */
  readonly modelId: string;
  /** Seconds since 1970. */
  readonly started = Math.floor(Date.now() / 1000);
  readonly bodyLimit: number;
  readonly #stallTimeout: number;

  constructor(
    readonly model: ServedModel,
    readonly admission: Admission,
    readonly metrics: Metrics,
    options: ServeOptions,
  ) {
    this.modelId = options.alias ?? model.info.name;
    this.bodyLimit = options.bodyLimit ?? DEFAULTS.bodyLimit;
    this.#stallTimeout = options.stallTimeout ?? DEFAULTS.stallTimeout;
  }

  /** Errors: 404 for another model than the one that is served. A request need not name one. */
  checkModel(id: string | undefined): void {
    if (id === undefined || id === this.modelId) return;
    const message = `The model '${id.slice(0, 100)}' does not exist. This server has '${this.modelId}'.`;
    throw new ApiError(404, message, { param: 'model', code: 'model_not_found' });
  }

  /** Lets a request for `count` generations in, until its answer was taken or the client is gone. */
  admit({ trace }: FastifyRequest, reply: FastifyReply, count: number): Visit {
    const place = this.admission.enter(count);
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) place.abort(new Error('the client closed the connection'));
      place.leave();
    });
    return { ...place, trace };
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
