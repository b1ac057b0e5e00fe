/** The HTTP server of one model: OpenAI's API, llama.cpp's tokenize and detokenize, metrics and a chat page. */
import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { requireApiKey } from './access.js';
import { Admission } from './admission.js';
import { jsonBodies } from './body.js';
import { chatRoutes } from './chat.js';
import { completionRoutes } from './completions.js';
import { Connections } from './connections.js';
import { ApiError, toApiError } from './errors.js';
import { LineSink } from './line_sink.js';
import { Log } from './log.js';
import { Metrics } from './metrics.js';
import { DEFAULTS, type ServedModel, type ServeOptions } from './options.js';
import { pageRoute } from './page.js';
import { Service } from './service.js';
import { statusRoutes } from './status.js';
import { refuseStrangers, requireOneHost } from './strangers.js';
import { textRoutes } from './text.js';
import { traceRequests } from './trace.js';
import { validationError } from './validation.js';

const METHODS = ['GET', 'POST'] as const;

export interface ModelServer {
  readonly app: FastifyInstance;
  readonly admission: Admission;
  /** Of requests about texts alone. */
  readonly texts: Admission;
  readonly metrics: Metrics;
}

/** A server that does not listen yet. It answers with 503 until the model is there, which stays the caller's. */
export async function createServer(
  model: ServedModel | Promise<ServedModel>,
  options: ServeOptions = {},
): Promise<ModelServer> {
  const { queueLimit = DEFAULTS.queueLimit, maxConnections = DEFAULTS.maxConnections } = options;
  const log = new Log(options.log ?? new LineSink(process.stderr).write, options.logBroken ?? (() => {}));
  const [admission, texts] = [new Admission(queueLimit), new Admission(queueLimit, 'texts')];
  const connections = new Connections(options.requestTimeout ?? DEFAULTS.requestTimeout);
  const [activity, statistics] = [() => service.activity, () => service.statistics];
  const metrics = new Metrics({ activity, statistics, admission, texts, connections, log });
  const service: Service = new Service({ admission, texts, metrics }, options);
  const app = framework(service, connections);
  connections.watch(app.server, maxConnections);
  jsonBodies(app, service.bodyLimit);
  traceRequests(app, metrics, options.logFormat ?? DEFAULTS.logFormat, log);
  handleErrors(app, service);
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
  });
  await guard(app, service, options);
  for (const addRoutes of [chatRoutes, completionRoutes, textRoutes, statusRoutes]) addRoutes(app, service);
  pageRoute(app);
  if (model instanceof Promise) void model.then((loaded) => service.open(loaded)).catch(() => {});
  else service.open(model);
  return { app, admission, texts, metrics };
}

function framework(service: Service, { answerUnreadable, requestTimeout }: Connections): FastifyInstance {
  return fastify({
    bodyLimit: service.bodyLimit,
    requestTimeout,
    // When the server ends, all answers were taken: what is open then is idle, or sends a request that nobody will answer.
    forceCloseConnections: true,
    // What is no HTTP, or has no route for its bytes, never becomes a request with hooks: it is answered in the same shape.
    clientErrorHandler: answerUnreadable,
    // What sends nothing at all has as long, and is looked for often.
    http: { headersTimeout: requestTimeout, connectionsCheckingInterval: Math.ceil(requestTimeout / 12) },
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
}

/** Who may ask, in the order in which it is checked. */
async function guard(app: FastifyInstance, { admission }: Service, options: ServeOptions): Promise<void> {
  const { apiKey, cors: origins = [], allowedHosts: hosts = [] } = options;
  requireOneHost(app);
  if (apiKey === undefined) refuseStrangers(app, { hosts, origins });
  if (origins.length > 0) await app.register(cors, { origin: origins.includes('*') ? '*' : [...origins] });
  app.addHook('onRequest', async ({ method }) => {
    if (method === 'POST') admission.checkOpen();
  });
  if (apiKey !== undefined) requireApiKey(app, apiKey);
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
    if (methods.length === 0)
      throw new ApiError(404, `Unknown request URL: ${request.method} ${path!.slice(0, 200)}`, UNKNOWN_URL);
    reply.header('allow', methods.join(', '));
    const message = `Not allowed to ${request.method} on ${path}: use ${methods.join(' or ')}.`;
    throw new ApiError(405, message, { code: 'method_not_allowed' });
  });
}

const UNKNOWN_URL = { code: 'unknown_url' };
