/** Whose text is next, and what is never begun. */
import { describe, expect, test } from 'vitest';
import { TextQueue } from '../../runtime/serve/text_queue.js';
import { scriptedModel } from './scripted_model.js';
import { closeServers, listen, post, until } from './support.js';

closeServers();

const LONG = 1e6;

/** Work that ends when the test says so, noted as it begins. */
function workshop() {
  const queue = new TextQueue();
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (name: string, size = LONG, client = 'a', signal = new AbortController().signal) =>
    queue.run({
      client,
      size,
      signal,
      work: () => {
        begun.push(name);
        return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
      },
    });
  const end = async (name: string) => {
    ends.get(name)!();
    await new Promise(setImmediate);
  };
  return { run, begun, end };
}

const settled = () => new Promise(setImmediate);

describe('long texts', () => {
  test('are taken one at a time, a short one of the same client before longer ones that came earlier', async () => {
    const { run, begun, end } = workshop();
    const results = [run('1'), run('2'), run('3', LONG / 10)];
    await settled();
    expect(begun).toEqual(['1']);
    for (const name of ['1', '3', '2']) await end(name);
    expect(begun).toEqual(['1', '3', '2']);
    expect(await Promise.all(results)).toEqual(['1', '2', '3']);
  });

  test('keep no short one waiting', async () => {
    const { run, begun } = workshop();
    void run('long');
    void run('another');
    void run('short', 100);
    await settled();
    expect(begun).toEqual(['long', 'short']);
  });

  test('of several clients take turns', async () => {
    const { run, begun, end } = workshop();
    for (const name of ['a1', 'a2', 'a3', 'a4']) void run(name);
    for (const name of ['b1', 'b2']) void run(name, LONG, 'b');
    void run('c1', LONG, 'c');
    await settled();
    for (const name of ['a1', 'b1', 'c1', 'a2', 'b2', 'a3']) await end(name);
    expect(begun).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  });

  test('whose clients are gone are never begun', async () => {
    const { run, begun, end } = workshop();
    void run('first');
    const gone = new AbortController();
    const dropped = Array.from({ length: 40 }, (_, i) => run(`dropped ${i}`, LONG, 'a', gone.signal));
    const other = run('other', LONG, 'b');
    gone.abort(new Error('gone'));
    expect((await Promise.allSettled(dropped)).every(({ status }) => status === 'rejected')).toBe(true);
    await end('first');
    expect(begun).toEqual(['first', 'other']);
    await end('other');
    expect(await other).toBe('other');
    await expect(run('late', LONG, 'a', gone.signal)).rejects.toThrow('gone');
  });

  test('that fail let the next one begin', async () => {
    const queue = new TextQueue();
    const job = (work: () => Promise<number>) =>
      queue.run({ client: 'a', size: LONG, signal: new AbortController().signal, work });
    await expect(job(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await job(async () => 1)).toBe(1);
  });
});

test('a flood of texts gets 429, and neither generations nor other paths do', async () => {
  const model = scriptedModel();
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const tokenizeAsync = async (text: string) => {
    if (text.length > 100) await gate;
    return [...text].map((character) => character.charCodeAt(0));
  };
  const server = await listen({ ...model, tokenizeAsync }, { queueLimit: 3 });
  const text = { content: ' '.repeat(20_000) };
  const flood = Array.from({ length: 7 }, () => post(`${server.url}/tokenize`, text));
  await until(() => server.texts.occupied === 7, 'all places to be taken');
  const refused = await post(`${server.url}/tokenize`, text);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect((await post(`${server.url}/detokenize`, { tokens: [65] })).status).toBe(429);
  expect((await post(`${server.url}/v1/completions`, { prompt: 'a', max_tokens: 1 })).status).toBe(200);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  finish();
  expect((await Promise.all(flood)).map(({ status }) => status)).toEqual(Array(7).fill(200));
  await until(() => server.texts.occupied === 0, 'all to leave');
  expect((await post(`${server.url}/tokenize`, text)).status).toBe(200);
});

test('a client that is gone leaves its place among the texts', async () => {
  const model = { ...scriptedModel(), tokenizeAsync: () => new Promise<number[]>(() => {}) };
  const server = await listen(model);
  const controller = new AbortController();
  const gone = fetch(`${server.url}/tokenize`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'a' }),
    signal: controller.signal,
  }).catch(() => {});
  await until(() => server.texts.occupied === 1, 'it to be let in');
  controller.abort();
  await gone;
  await until(() => server.texts.occupied === 0, 'it to leave');
});
