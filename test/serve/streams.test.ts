/** Streams whose reader is slow or gone, queues that are full, and the end of the server; with a scripted model. */
import { connect as connectSocket, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { scriptedModel } from './scripted_model.js';
import { closeServers, type Listening, listen, post, until } from './support.js';

closeServers();

const CHAT = '/v1/chat/completions';
const body = (more: object = {}) => ({ messages: [{ role: 'user', content: 'hi' }], ...more });

/** A client that sends a request and reads nothing unless told to. */
function rawClient({ url }: Listening, request: object): Socket {
  const text = JSON.stringify(request);
  const { hostname, port } = new URL(url);
  const socket = connectSocket(Number(port), hostname);
  socket.pause();
  socket.on('error', () => {});
  socket.write(
    `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
  return socket;
}

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
const hangs = { beforeToken: (_count: number, signal: AbortSignal) => aborted(signal) };
const healthOf = async ({ url }: Listening) => (await fetch(`${url}/health`)).json();

test('a client that is gone frees its slot, streaming or not, running or waiting', async () => {
  const model = scriptedModel({ beforeToken: (count, signal) => (count < 3 ? Promise.resolve() : aborted(signal)) });
  const server = await listen(model);
  for (const stream of [true, false]) {
    const running = rawClient(server, body({ stream }));
    await until(() => model.activity.running === 1, 'the first to run');
    const waiting = rawClient(server, body({ stream }));
    await until(() => model.activity.waiting === 1, 'the second to wait');
    waiting.destroy();
    await until(() => model.activity.waiting === 0, 'the second to leave');
    expect(model.activity.running).toBe(1);
    running.destroy();
    await until(() => model.activity.running === 0, 'the first to leave');
    await until(() => server.admission.occupied === 0, 'no place to be taken');
  }
  await until(() => server.lines.length === 4, 'four lines of log');
  expect(server.lines.every((line) => line.includes(` POST ${CHAT} 499 `))).toBe(true);
  expect((await post(server.url + CHAT, body({ max_tokens: 3 }))).status).toBe(200);
});

test('a slow reader is dropped after a while; what it left buffered is bounded, and others are served meanwhile', async () => {
  const length = 100_000;
  const model = scriptedModel({ sequences: 2, context: 2 * length, length, token: 'y'.repeat(200) });
  const server = await listen(model, { stallTimeout: 2000 });
  const slow = rawClient(server, body({ stream: true }));
  await until(() => server.admission.occupied === 1, 'the slow one to be let in');
  const quick = await post(server.url + CHAT, body({ max_tokens: 5 }));
  expect(quick.status).toBe(200);
  expect(server.admission.occupied).toBe(1);
  await until(() => server.admission.occupied === 0, 'the slow one to be dropped');
  // 40 MB of events; what the server's socket and the client's kernel took is a small part of it.
  expect(server.lines.at(-1)).toMatch(/ 499 .*completion=\d{1,5} /);
  slow.destroy();
});

test('a reader that stops for a while gets everything', async () => {
  const server = await listen(scriptedModel({ context: 20_000, length: 10_000, token: 'z'.repeat(100) }));
  const socket = rawClient(server, body({ stream: true }));
  let text = '';
  await new Promise((resolve) => setTimeout(resolve, 300));
  socket.on('data', (data) => {
    text += data;
  });
  socket.resume();
  await until(() => text.includes('[DONE]'), 'the end of the stream');
  expect(text.match(/z{100}/g)).toHaveLength(10_000);
  socket.destroy();
});

test('a failure in the middle of a stream is an event, and the stream ends', async () => {
  const beforeToken = async (count: number) => {
    if (count === 2) throw new Error('the device is gone');
  };
  const server = await listen(scriptedModel({ beforeToken }));
  const { status, body: text } = await post(server.url + CHAT, body({ stream: true }));
  expect(status).toBe(200);
  const events = (text as string).split('\n\n').filter((event) => event !== '');
  expect(events).toHaveLength(4); // role, two tokens, failure
  expect(JSON.parse(events[3]!.slice(6))).toMatchObject({ error: { type: 'server_error', code: 'internal_error' } });
  await until(() => server.lines.length === 1, 'the line of log');
  expect(server.lines[0]).toContain('error="the device is gone"');
});

test('with a full queue the next is told when to come again', async () => {
  const model = scriptedModel(hangs);
  const server = await listen(model, { queueLimit: 2 });
  const clients = [1, 2, 3].map(() => rawClient(server, body({ stream: true })));
  await until(() => server.admission.occupied === 3, 'all places to be taken');
  const refused = await post(server.url + CHAT, body());
  expect(refused.status).toBe(429);
  expect(refused.body.error).toMatchObject({ type: 'rate_limit_error', code: 'queue_full' });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(await healthOf(server)).toEqual({ status: 'ok', slots: 1, slots_busy: 1, queue_length: 2 });
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  for (const line of [
    'realizar_slots 1',
    'realizar_slots_busy 1',
    'realizar_queue_length 2',
    'realizar_queue_limit 2',
    'realizar_requests_total{route="/v1/chat/completions",status="429"} 1',
  ])
    expect(metrics.split('\n')).toContain(line);
  for (const client of clients) client.destroy();
  await until(() => server.admission.occupied === 0, 'all to leave');
});

test('metrics count requests and tokens', async () => {
  const statistics = { pages: 8, freePages: 2, windowPages: 4, freeWindowPages: 3, preemptions: 7, promptTokens: 40 };
  const { url } = await listen(scriptedModel({ length: 5, statistics: { ...statistics, prefixHitTokens: 30 } }));
  await post(url + CHAT, body());
  await post(url + CHAT, body({ stream: true }));
  const metrics = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  for (const line of [
    'realizar_requests_total{route="/v1/chat/completions",status="200"} 2',
    'realizar_prompt_tokens_total 4',
    'realizar_completion_tokens_total 10',
    'realizar_time_to_first_token_seconds_count 2',
    'realizar_queue_wait_seconds_count 2',
    'realizar_time_per_output_token_seconds_count 2',
    'realizar_generation_tokens_total 10',
    'realizar_inter_token_latency_seconds_count 8',
    'realizar_e2e_request_latency_seconds_count 2',
    'realizar_num_requests_running 0',
    'realizar_num_requests_waiting 0',
    'realizar_kv_cache_usage_perc 0.75',
    'realizar_num_preemptions_total 7',
    'realizar_prefix_cache_queries_total 40',
    'realizar_prefix_cache_hits_total 30',
    'realizar_request_duration_seconds_count{route="/v1/chat/completions"} 2',
  ])
    expect(metrics).toContain(line);
});

test('draining lets what runs finish and refuses what is new', async () => {
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const server = await listen(scriptedModel({ length: 3, beforeToken: () => gate }));
  const running = post(server.url + CHAT, body());
  await until(() => server.admission.occupied === 1, 'the request to be let in');
  const drained = server.admission.drain(60_000);
  const refused = await post(server.url + CHAT, body());
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('5');
  expect(refused.body.error).toMatchObject({ type: 'server_error', code: 'server_shutting_down' });
  const health = await fetch(`${server.url}/health`);
  expect([health.status, await health.json()]).toMatchObject([503, { status: 'shutting down' }]);
  finish();
  expect((await running).body.choices[0].message.content).toBe('xxx');
  expect(await drained).toBe(0);
});

test('a drain that takes too long cuts off with an error', async () => {
  const server = await listen(scriptedModel(hangs));
  const [whole, stream] = [false, true].map((stream) => post(server.url + CHAT, body({ stream })));
  await until(() => server.admission.occupied === 2, 'both to be let in');
  expect(await server.admission.drain(50)).toBe(2);
  expect(await whole).toMatchObject({ status: 503, body: { error: { code: 'server_shutting_down' } } });
  expect((await stream)!.body).toContain('"code":"server_shutting_down"');
});

test('the log has one line a request and nothing of what was said', async () => {
  const say = { messages: [{ role: 'user', content: 'a secret' }], max_tokens: 2 };
  const text = await listen(scriptedModel());
  const json = await listen(scriptedModel(), { logFormat: 'json' });
  for (const server of [text, json]) {
    await post(server.url + CHAT, say);
    await post(`${server.url}/nowhere?token=secret`, say);
    await post(server.url + CHAT, { ...say, secret: 'secret' });
    await until(() => server.lines.length === 3, 'the lines of log');
    expect(server.lines.join('\n')).not.toContain('secret');
  }
  expect(text.lines[0]).toMatch(
    /^\d{4}-\S+Z 127\.0\.0\.1 POST \/v1\/chat\/completions 200 \d+\.\d{3}s prompt=8 cached=0 completion=2 finished=length$/,
  );
  expect(JSON.parse(json.lines[0]!)).toMatchObject({ status: 200, promptTokens: 8, completionTokens: 2 });
  expect(text.lines[1]).toMatch(/ POST \/nowhere 404 \d+\.\d{3}s$/);
  const none = await listen(scriptedModel(), { logFormat: 'none' });
  await post(none.url + CHAT, say);
  expect(none.lines).toEqual([]);
});

test('pages of other origins are let in only where that was asked for', async () => {
  const origin = 'https://chat.example';
  const preflight = ({ url }: Listening) =>
    fetch(url + CHAT, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    });
  const closed = await preflight(await listen(scriptedModel()));
  expect(closed.headers.get('access-control-allow-origin')).toBeNull();
  const open = await listen(scriptedModel(), { cors: [origin], apiKey: 'sesame' });
  const allowed = await preflight(open);
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe(origin);
  const refused = await post(open.url + CHAT, body(), { origin });
  expect(refused.status).toBe(401);
  expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
});
