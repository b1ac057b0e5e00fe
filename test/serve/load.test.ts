/** Many clients at once, and many requests, against the program with the bundled model. */
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storyteller } from '../llm/support.js';
import { killPrograms, type Program, startProgram } from './program.js';
import { until } from './support.js';

const CLIENTS = 64;
const WARM_UP = 300;
const REQUESTS = 2000;
/** What V8 takes and gives back by itself is some 20 MiB; 30 KiB kept for each request would be 50 MiB. */
const GROWTH_MIB = 50;

const bundled = storyteller('serve-load');
let program: Program;
beforeAll(async () => {
  program = await startProgram(bundled.folder, ['--parallel', '2']);
});
afterAll(killPrograms);

const connect = () => new OpenAI({ baseURL: `${program.url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 500_000 });
interface Health {
  readonly slots_busy: number;
}

const health = async (url = program.url) => (await (await fetch(`${url}/health`)).json()) as Health;

test(`${CLIENTS} clients at once: each gets the answer to its own question`, { timeout: 600_000 }, async () => {
  const questions = Array.from({ length: CLIENTS }, (_, i) => [1 + (i % 8), 1 + (Math.floor(i / 8) % 4)] as const);
  const ask = async ([a, b]: readonly [number, number], i: number): Promise<string> => {
    const messages = [{ role: 'user' as const, content: `What is ${a} plus ${b}?` }];
    const request = { model: 'storyteller-q8_0', messages, temperature: 0, max_tokens: 20 };
    if (i % 2 === 0) return (await connect().chat.completions.create(request)).choices[0]!.message.content!;
    let text = '';
    for await (const { choices } of await connect().chat.completions.create({ ...request, stream: true }))
      text += choices[0]!.delta.content ?? '';
    return text;
  };
  const answers = await Promise.all(questions.map(ask));
  expect(answers).toEqual(questions.map(([a, b]) => `${a} plus ${b} is ${a + b}.`));
  expect(await health()).toMatchObject({ slots: 2, slots_busy: 0, queue_length: 0 });
});

const usage = async () => {
  const metrics = await (await fetch(`${program.url}/metrics`)).text();
  return Number(/^realizar_kv_cache_usage_perc (\S+)$/m.exec(metrics)![1]);
};

test('a client that is killed frees its slot, and its pages', { timeout: 600_000 }, async () => {
  const controller = new AbortController();
  const stories = Array.from({ length: 3 }, () =>
    connect().completions.create(
      { model: 'storyteller-q8_0', prompt: 'Once upon a time', max_tokens: 400, stream: true },
      { signal: controller.signal },
    ),
  );
  const settled = Promise.allSettled(stories);
  await (await stories[0]!)[Symbol.asyncIterator]().next();
  await until(async () => (await health()).slots_busy === 2, 'both slots to be busy');
  expect(await usage()).toBeGreaterThan(0);
  controller.abort();
  await until(async () => (await health()).slots_busy === 0, 'the slots to be free');
  await until(async () => (await usage()) === 0, 'the pages to be free');
  await settled;
});

test(`memory is flat over ${REQUESTS} requests of every kind`, { timeout: 1_200_000 }, async () => {
  const client = connect();
  const base = { model: 'storyteller-q8_0', prompt: 'Once', max_tokens: 1 };
  const ask = async (body: object, signal?: AbortSignal) => {
    const headers = { 'content-type': 'application/json' };
    const sent = { method: 'POST', headers, body: JSON.stringify({ ...base, ...body }), ...(signal && { signal }) };
    await (await fetch(`${program.url}/v1/completions`, sent)).text();
  };
  const kinds: ((i: number) => Promise<unknown>)[] = [
    () => ask({ temperature: 0 }),
    () => ask({ stream: true }),
    (i) => ask({ logprobs: 5, seed: i, logit_bias: { 5: 1 } }),
    (i) => ask({ prompt: `Once upon ${i}`, echo: true, logprobs: 1, n: 2, temperature: 1 }),
    () => ask({ max_tokens: -1 }),
    (i) => ask({ max_tokens: 300, stream: i % 2 === 0 }, AbortSignal.timeout(5)).catch(() => {}),
  ];
  const send = async (count: number) => {
    let next = 0;
    const worker = async () => {
      for (let i = next++; i < count; i = next++) await kinds[i % kinds.length]!(i);
    };
    await Promise.all(Array.from({ length: 8 }, worker));
  };
  await send(WARM_UP);
  const before = residentMiB(program.pid);
  await send(REQUESTS - WARM_UP);
  await until(async () => (await health()).slots_busy === 0, 'the slots to be free');
  expect(residentMiB(program.pid) - before).toBeLessThan(GROWTH_MIB);
  const [answer] = (await client.completions.create({ ...base, max_tokens: 3, temperature: 0 })).choices;
  expect(answer!.text).toBe(' upon a time'.slice(0, answer!.text.length));
});

test('1000 connections at once: each is answered or refused by name, and nothing of them stays', {
  timeout: 600_000,
}, async () => {
  // Of its own: connections that clients of other tests keep alive would be too many together with these.
  const { url, pid } = await startProgram(bundled.folder, ['--parallel', '2']);
  const body = JSON.stringify({ model: 'storyteller-q8_0', prompt: 'Once', max_tokens: 1 });
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      const asked = request(`${url}/v1/completions`, { method: 'POST', headers, agent: false }, async (answer) => {
        const { error } = JSON.parse(Buffer.concat(await answer.toArray()).toString());
        resolve(`${answer.statusCode} ${error?.code ?? 'answered'}`);
      });
      asked.on('error', reject).end(body);
    });
  const wave = async () => {
    const found = await Promise.all(Array.from({ length: 1000 }, ask));
    expect([...new Set(found)].sort()).toEqual(['200 answered', '429 queue_full']);
    await until(() => descriptors() <= open, 'the connections to be closed');
  };
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
  const open = descriptors();
  await wave();
  const before = residentMiB(pid);
  for (let i = 0; i < 3; i++) await wave();
  expect(residentMiB(pid) - before).toBeLessThan(GROWTH_MIB);
  expect(await health(url)).toMatchObject({ slots_busy: 0, queue_length: 0 });
});

const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
