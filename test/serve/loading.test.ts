/** A server whose model is not there yet. */
import { expect, test } from 'vitest';
import type { ServedModel } from '../../runtime/serve/options.js';
import { scriptedModel } from './scripted_model.js';
import { closeServers, listen, post, until } from './support.js';

closeServers();

test('says so with 503 and Retry-After, and answers once it is there', async () => {
  let loaded = (_model: ServedModel) => {};
  const model = new Promise<ServedModel>((resolve) => {
    loaded = resolve;
  });
  const server = await listen(model);
  const requests = [
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 }],
    ['/v1/completions', { prompt: 'a', max_tokens: 1 }],
    ['/tokenize', { content: 'a' }],
    ['/detokenize', { tokens: [65] }],
  ] as const;
  for (const [path, body] of requests) {
    const refused = await post(server.url + path, body);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(refused.body.error).toEqual({
      ...{ message: 'Loading model', type: 'unavailable_error', param: null, code: 'model_loading' },
    });
  }
  expect((await fetch(`${server.url}/v1/models`)).status).toBe(503);
  const health = await fetch(`${server.url}/health`);
  expect([health.status, await health.json()]).toEqual([
    503,
    { status: 'loading model', error: { code: 503, message: 'Loading model', type: 'unavailable_error' } },
  ]);
  expect((await fetch(`${server.url}/`)).status).toBe(200);
  expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^realizar_slots 0$/m);
  loaded(scriptedModel());
  await until(async () => (await fetch(`${server.url}/health`)).status === 200, 'the model to be there');
  for (const [path, body] of requests) expect((await post(server.url + path, body)).status).toBe(200);
  expect((await fetch(`${server.url}/v1/models`)).status).toBe(200);
});

test('that ends meanwhile says that it ends', async () => {
  const server = await listen(new Promise<never>(() => {}));
  expect(await server.admission.drain(0)).toBe(0);
  const health = await fetch(`${server.url}/health`);
  expect([health.status, await health.json()]).toMatchObject([503, { status: 'shutting down' }]);
  expect((await post(`${server.url}/v1/completions`, {})).body.error.code).toBe('server_shutting_down');
});
