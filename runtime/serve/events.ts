/** Server-sent events. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { ErrorBody } from './errors.js';

export interface EventStreamOptions {
  /** Milliseconds after which a client that takes nothing is dropped. */
  readonly stallTimeout: number;
  /** What the client gets of a failure, once the stream has begun. */
  readonly describe: (error: unknown) => ErrorBody;
}

/**
 * Answers with one event for each value, `[DONE]` at the end. The next value is asked for when the client has taken enough
 * of those before; nothing is buffered beyond the high water marks of the stream and the socket.
 */
export function sendEvents(
  reply: FastifyReply,
  values: AsyncIterable<unknown>,
  options: EventStreamOptions,
): FastifyReply {
  // Proxies such as nginx would collect the events otherwise.
  reply.header('content-type', 'text/event-stream; charset=utf-8').header('cache-control', 'no-cache');
  reply.header('x-accel-buffering', 'no');
  return reply.send(Readable.from(events(reply, values, options)));
}

async function* events(reply: FastifyReply, values: AsyncIterable<unknown>, options: EventStreamOptions) {
  const watched = async function* (event: string) {
    const timer = setTimeout(() => reply.raw.destroy(), options.stallTimeout);
    try {
      yield event;
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    for await (const value of values) yield* watched(`data: ${JSON.stringify(value)}\n\n`);
  } catch (error) {
    yield* watched(`data: ${JSON.stringify({ error: options.describe(error) })}\n\n`);
    return;
  }
  yield* watched('data: [DONE]\n\n');
}
