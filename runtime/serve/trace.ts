/** One line a request. What a request or an answer says is never in it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Log } from './log.js';
import type { Metrics } from './metrics.js';
import type { LogFormat } from './options.js';

/** What is noted of a request while it is answered. */
export interface Trace {
  /** Address; a request has none any more when its client is gone. */
  readonly client: string;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  /** Why the generations ended. */
  readonly finished: string[];
  /** What the client was told less of, or what ended a stream. */
  failure: unknown;
}

declare module 'fastify' {
  interface FastifyRequest {
    trace: Trace;
  }
}

/** nginx's status for a client that closed the connection before it had its answer. */
const CLIENT_GONE = 499;
const LONGEST_PATH = 100;
const LONGEST_ERROR = 2000;

const messageOf = (failure: unknown) => (failure instanceof Error ? failure.message : String(failure));

/** Counts and logs each request when its answer was taken, or its client is gone. */
export function traceRequests(app: FastifyInstance, metrics: Metrics, format: LogFormat, log: Log): void {
  app.decorateRequest('trace', null as unknown as Trace);
  app.addHook('onRequest', async (request, reply) => {
    const started = performance.now();
    const counts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
    request.trace = { client: request.ip, ...counts, finished: [], failure: undefined };
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.raw.statusCode : CLIENT_GONE;
      const seconds = (performance.now() - started) / 1000;
      metrics.request(request.routeOptions.url ?? 'none', status, seconds);
      const entry = entryOf(request, status, seconds);
      if (format === 'json') log.line(JSON.stringify(entry));
      if (format === 'text') log.line(lineOf(entry));
    });
  });
}

function entryOf(request: FastifyRequest, status: number, seconds: number) {
  const { client, promptTokens, cachedTokens, completionTokens, finished, failure } = request.trace;
  const path = request.url
    .split('?', 1)[0]!
    .replace(/[^\x21-\x7e]/g, '?')
    .slice(0, LONGEST_PATH);
  const generated = promptTokens + completionTokens > 0;
  return {
    time: new Date().toISOString(),
    id: request.id,
    client,
    method: request.method,
    path,
    status,
    seconds: Number(seconds.toFixed(3)),
    ...(generated ? { promptTokens, cachedTokens, completionTokens, finished: finished.join() || 'no' } : {}),
    ...(failure === undefined ? {} : { error: messageOf(failure).slice(0, LONGEST_ERROR) }),
  };
}

function lineOf({ time, client, method, path, status, seconds, ...more }: ReturnType<typeof entryOf>): string {
  const parts = [time, client, method, path, status, `${seconds.toFixed(3)}s`];
  if (more.promptTokens !== undefined)
    parts.push(`prompt=${more.promptTokens} cached=${more.cachedTokens} completion=${more.completionTokens}`);
  if (more.finished !== undefined) parts.push(`finished=${more.finished}`);
  if (more.error !== undefined) parts.push(`error=${JSON.stringify(more.error)}`);
  return parts.join(' ');
}
