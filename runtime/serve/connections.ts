/** Connections: how many there may be, and the end of those that send no requests. */
import { type IncomingMessage, maxHeaderSize, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ApiError } from './errors.js';

/** So long after the last answer its reader may still take it, ms: closing at once would make its machine throw it away. */
const LINGER = 1_000;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export class Connections {
  readonly #exchanges = new WeakMap<Socket, Set<Exchange>>();
  /** Connections that were closed as they came, because there were too many. */
  dropped = 0;
  #server: Server | undefined;

  /** `requestTimeout`: a client has so long to send its request, ms. */
  constructor(readonly requestTimeout: number) {}

  /** More than `limit` at once are closed as they come. */
  watch(server: Server, limit: number): void {
    this.#server = server;
    server.maxConnections = limit;
    server.on('drop', () => this.dropped++);
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const exchanges = this.#of(request.socket);
      const exchange = { request, response };
      exchanges.add(exchange);
      response.once('close', () => exchanges.delete(exchange));
    });
  }

  /** How many there are. */
  count(): Promise<number> {
    return new Promise((resolve) => {
      if (this.#server?.listening) this.#server.getConnections((_error, count) => resolve(count));
      else resolve(0);
    });
  }

  /** What is no HTTP, or takes too long, is told so where no answer is under way, and its connection is closed. */
  readonly answerUnreadable = (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable || [...this.#of(socket)].some(isAnswered)) {
      socket.destroy();
      return;
    }
    socket.end(answerOf(refusal(error.code, this.requestTimeout)));
    setTimeout(() => socket.destroy(), LINGER).unref();
  };

  /** Those under way. */
  #of(socket: Socket): Set<Exchange> {
    const known = this.#exchanges.get(socket) ?? new Set();
    this.#exchanges.set(socket, known);
    return known;
  }
}

/** What is written now would be taken for its answer, or for a part of that. */
const isAnswered = ({ request, response }: Exchange) => request.complete || response.headersSent;

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** `code`: as Node's parser names what is wrong. */
function refusal(code: string | undefined, requestTimeout: number): ApiError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new ApiError(408, `The request did not arrive within ${requestTimeout / 1000} s.`);
  if (code === 'HPE_HEADER_OVERFLOW')
    return new ApiError(431, `The request's line and headers are too long: at most ${maxHeaderSize} bytes are read.`);
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return new ApiError(413, "The request's chunks have extensions that are too long.");
  return new ApiError(400, 'The request could not be read: it is no HTTP.');
}

function answerOf({ status, body }: ApiError): string {
  const text = JSON.stringify({ error: body });
  const head = `Content-Type: application/json\r\nContent-Length: ${text.length}\r\nConnection: close`;
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\n${head}\r\n\r\n${text}`;
}
