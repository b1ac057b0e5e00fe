/** GET /v1/models, /health and /metrics. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Service } from './service.js';

/** As llama.cpp's server says it. */
const LOADING = { code: 503, message: 'Loading model', type: 'unavailable_error' };

export function statusRoutes(app: FastifyInstance, service: Service): void {
  app.get('/v1/models', async () => ({ object: 'list', data: [modelEntry(service)] }));
  app.get('/v1/models/:model', async ({ params }: FastifyRequest<{ Params: { model: string } }>) => {
    service.checkModel(params.model);
    return modelEntry(service);
  });
  app.get('/health', async (_request, reply) => {
    const { draining, loading, slots } = service.admission;
    reply.code(draining || loading ? 503 : 200);
    if (loading) return { status: 'loading model', error: LOADING };
    const { running, waiting } = service.activity;
    return { status: draining ? 'shutting down' : 'ok', slots, slots_busy: running, queue_length: waiting };
  });
  app.get('/metrics', async (_request, reply) => {
    reply.type(service.metrics.registry.contentType);
    return service.metrics.registry.metrics();
  });
}

/** OpenAI's fields, and in `meta` what llama.cpp's server adds. */
function modelEntry({ model: { info }, modelId, started }: Service) {
  const meta = { n_vocab: info.vocabSize, n_ctx: info.context, n_params: info.parameters, size: info.weightsBytes };
  return { id: modelId, object: 'model', created: started, owned_by: 'realizar', meta };
}
