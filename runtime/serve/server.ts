/** The HTTP server of one model: OpenAI's API, llama.cpp's tokenize and detokenize, metrics and a chat page. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import cors from '@fastify/cors';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { requireApiKey } from './access.js';
import { Admission } from './admission.js';
import { chatRoutes } from './chat.js';
import { completionRoutes } from './completions.js';
import { ApiError, toApiError } from './errors.js';
import { traceRequests } from './log.js';
import { Metrics } from './metrics.js';
import { DEFAULTS, type ServedModel, type ServeOptions } from './options.js';
import { pageRoute } from './page.js';
import { Service } from './service.js';
import { statusRoutes } from './status.js';
import { textRoutes } from './text.js';
import { validationError } from './validation.js';

/** A client has so long to send its request, ms. */
const REQUEST_TIMEOUT = 60_000;
const METHODS = ['GET', 'POST'] as const;

export interface ModelServer {
  readonly app: FastifyInstance;
  readonly admission: Admission;
}

/** A server that does not listen yet. The model stays the caller's. */
export async function createServer(model: ServedModel, options: ServeOptions = {}): Promise<ModelServer> {
  const { logFormat = DEFAULTS.logFormat, log = (line: string) => void process.stderr.write(`${line}\n`) } = options;
  const admission = new Admission(model.info.sessions, options.queueLimit ?? DEFAULTS.queueLimit);
  const metrics = new Metrics(model, admission);
  const service = new Service(model, admission, metrics, options);
  const app = fastify({
    bodyLimit: service.bodyLimit,
    requestTimeout: REQUEST_TIMEOUT,
    // When the server ends, all answers were taken: what is open then is idle, or sends a request that nobody will answer.
    forceCloseConnections: true,
    // What is no HTTP, or has no route for its bytes, never becomes a request with hooks: it is answered in the same shape.
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, _request, reply) => {
      const answer = toApiError(error, service.bodyLimit);
      // Its type knows the bodies of no route, so of none.
      (reply as FastifyReply).code(answer.status).send({ error: answer.body });
    },
    genReqId: () => randomUUID(),
    schemaErrorFormatter: validationError,
    // Nothing is converted, dropped or filled in: what is wrong is refused.
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allowUnionTypes: true,
        verbose: true,
      },
    },
  });
  app.removeContentTypeParser('text/plain');
  traceRequests(app, metrics, logFormat, log);
  handleErrors(app, service);
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
  });
  if (options.cors?.length) await app.register(cors, { origin: options.cors.includes('*') ? '*' : [...options.cors] });
  app.addHook('onRequest', async ({ method }) => {
    if (method === 'POST') admission.checkOpen();
  });
  if (options.apiKey !== undefined) requireApiKey(app, options.apiKey);
  chatRoutes(app, service);
  completionRoutes(app, service);
  textRoutes(app, service);
  statusRoutes(app, service);
  pageRoute(app);
  return { app, admission };
}

function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = late ? '408 Request Timeout' : '400 Bad Request';
  const { body } = late
    ? new ApiError(408, `The request did not arrive within ${REQUEST_TIMEOUT / 1000} s.`)
    : new ApiError(400, 'The request could not be read: it is no HTTP.');
  const text = JSON.stringify({ error: body });
  const head = `Content-Type: application/json\r\nContent-Length: ${text.length}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${text}`);
}

function handleErrors(app: FastifyInstance, service: Service): void {
  app.setErrorHandler((error, request, reply) => {
    const answer = toApiError(error, service.bodyLimit);
    if (answer.status >= 500) request.trace.failure = error;
    if (service.admission.draining) reply.header('connection', 'close');
    return reply.code(answer.status).headers(answer.headers).send({ error: answer.body });
  });
  app.setNotFoundHandler(async (request, reply) => {
    const [path] = request.url.split('?', 1);
    const methods = METHODS.filter((method) => app.hasRoute({ method, url: path! }));
    if (methods.length === 0) throw new ApiError(404, `Unknown request URL: ${request.method} ${path}`, UNKNOWN_URL);
    reply.header('allow', methods.join(', '));
    const message = `Not allowed to ${request.method} on ${path}: use ${methods.join(' or ')}.`;
    throw new ApiError(405, message, { code: 'method_not_allowed' });
  });
}

const UNKNOWN_URL = { code: 'unknown_url' };
