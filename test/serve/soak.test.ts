/**
 * A server under everything at once: valid requests, hostile ones, clients that go away. Descriptors, threads and memory before
 * and after. `make soak SECONDS=600` has more time than CI.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storyteller } from '../llm/support.js';
import { Random } from '../support/random.js';
import { killPrograms, type Program, startProgram } from './program.js';
import { until } from './support.js';

const CLIENTS = 32;
const SECONDS = Number(process.env.SOAK_SECONDS ?? (process.env.CI ? 45 : 0));
const WARM_UP_SECONDS = Math.min(SECONDS / 3, 60);
/** What V8 takes and gives back by itself is some 20 MiB. */
const GROWTH_MIB = 60;

const bundled = storyteller('serve-soak');
let program: Program;
beforeAll(async () => {
  program = await startProgram(bundled.folder, ['--parallel', '2', '--log', 'json']);
});
afterAll(killPrograms);

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A request on a connection of its own; undefined where it was given up after `patience` ms, or the server closed it. */
function ask(
  path: string,
  body: string | Uint8Array,
  { patience = 120_000, headers = {} } = {},
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const url = `${program.url}${path}`;
    const options = { method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...headers } };
    const sent = sendRequest(url, options, async (response: IncomingMessage) => {
      const text = await response.toArray().catch(() => undefined);
      resolve(text && { status: response.statusCode!, text: Buffer.concat(text).toString() });
    });
    const timer = setTimeout(() => sent.destroy(), patience);
    sent.on('error', () => resolve(undefined));
    sent.on('close', () => clearTimeout(timer));
    sent.end(body);
  });
}

/** Bytes on a bare connection, which the client leaves after a moment. */
function say(text: string, moment: number): Promise<void> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(program.url);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    setTimeout(() => socket.destroy(), moment);
  });
}

const CHAT = '/v1/chat/completions';
const COMPLETION = '/v1/completions';
const story = { prompt: 'Once upon a time', max_tokens: 4, temperature: 0 };
const HEAD = `POST ${COMPLETION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
const deep = `{"prompt":${'['.repeat(5e4)}`;
const bomb = gzipSync(JSON.stringify({ content: ' '.repeat(20e6) }));

/** What a client does, and the statuses that it may get. 429 is always one of them. */
type Kind = (random: Random) => Promise<unknown>;
const expectStatus = async (answer: Promise<Answer | undefined>, ...statuses: number[]) => {
  const got = await answer;
  if (got !== undefined) expect([...statuses, 429]).toContain(got.status);
  return got;
};

const KINDS: Record<string, Kind> = {
  sum: async (random) => {
    const [a, b] = [1 + random.integer(8), 1 + random.integer(4)];
    const messages = [{ role: 'user', content: `What is ${a} plus ${b}?` }];
    const answer = await expectStatus(ask(CHAT, JSON.stringify({ messages, temperature: 0, max_tokens: 12 })), 200);
    if (answer?.status === 200) expect(answer.text).toContain(`${a} plus ${b} is ${a + b}.`);
  },
  stream: async () => {
    const answer = await expectStatus(ask(COMPLETION, JSON.stringify({ ...story, stream: true })), 200);
    if (answer?.status === 200) expect(answer.text).toMatch(/data: \[DONE\]\n\n$/);
  },
  choices: () => expectStatus(ask(COMPLETION, JSON.stringify({ ...story, n: 3, logprobs: 2, temperature: 1 })), 200),
  tokenize: () => expectStatus(ask('/tokenize', JSON.stringify({ content: 'Once upon a time' })), 200),
  longText: () => expectStatus(ask('/tokenize', JSON.stringify({ content: ' a'.repeat(2e4) })), 200),
  packed: () =>
    expectStatus(ask(COMPLETION, gzipSync(JSON.stringify(story)), { headers: { 'content-encoding': 'gzip' } }), 200),
  noJson: () => expectStatus(ask(CHAT, '{"messages": ['), 400),
  wrongType: () => expectStatus(ask(CHAT, '{"messages": 1}'), 400),
  latin1: () => expectStatus(ask('/tokenize', Buffer.from('{"content":"caf\xe9"}', 'latin1')), 400),
  deep: () => expectStatus(ask(COMPLETION, deep), 400),
  bomb: () => expectStatus(ask('/tokenize', bomb, { headers: { 'content-encoding': 'gzip' } }), 413),
  large: () => expectStatus(ask(CHAT, 'x'.repeat(3 << 20)), 413),
  stranger: () => expectStatus(ask(COMPLETION, JSON.stringify(story), { headers: { host: 'evil.example' } }), 403),
  garbage: (random) => say('\x16\x03\x01 GARBAGE\r\n\r\n', random.uniform(0, 100)),
  halfAHead: (random) => say(HEAD, random.uniform(0, 500)),
  halfABody: (random) => say(`${HEAD}Content-Length: 1000\r\n\r\n{"prompt"`, random.uniform(0, 500)),
  leaves: (random) =>
    ask(COMPLETION, JSON.stringify({ ...story, max_tokens: 400 }), { patience: random.uniform(0, 300) }),
  leavesStream: (random) =>
    ask(CHAT, JSON.stringify({ messages: [{ role: 'user', content: 'Tell me a story' }], stream: true }), {
      patience: random.uniform(0, 500),
    }),
  leavesText: (random) =>
    ask('/tokenize', JSON.stringify({ content: ' '.repeat(2e5) }), { patience: random.uniform(0, 50) }),
};

/** Clients that do one thing after another until the time is up. How often each thing was done. */
async function load(seconds: number, seed: number): Promise<Record<string, number>> {
  const end = Date.now() + seconds * 1000;
  const names = Object.keys(KINDS);
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  const client = async (_: unknown, i: number) => {
    const random = new Random(seed + i);
    while (Date.now() < end) {
      const name = names[random.integer(names.length)]!;
      await KINDS[name]!(random);
      counts[name]!++;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return counts;
}

interface Usage {
  readonly descriptors: number;
  readonly threads: number;
  readonly mebibytes: number;
}

function usage(): Usage {
  const status = readFileSync(`/proc/${program.pid}/status`, 'utf8');
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)![1]);
  const descriptors = readdirSync(`/proc/${program.pid}/fd`).length;
  return { descriptors, threads: number('Threads'), mebibytes: number('VmRSS') / 1024 };
}

interface Health {
  readonly slots_busy: number;
  readonly queue_length: number;
}

async function quiet(): Promise<Usage> {
  const metric = async () => (await fetch(`${program.url}/metrics`, { headers: { connection: 'close' } })).text();
  await until(async () => {
    const health = (await (
      await fetch(`${program.url}/health`, { headers: { connection: 'close' } })
    ).json()) as Health;
    return health.slots_busy === 0 && health.queue_length === 0 && /^realizar_connections 1$/m.test(await metric());
  }, 'the server to be quiet');
  return usage();
}

test.runIf(SECONDS > 0)(
  `${CLIENTS} clients for ${SECONDS} s: all that they took is given back`,
  {
    timeout: (SECONDS + 300) * 1000,
  },
  async () => {
    await load(WARM_UP_SECONDS, 1);
    const before = await quiet();
    const counts = await load(SECONDS - WARM_UP_SECONDS, 1000);
    const after = await quiet();
    process.stderr.write(`soak ${JSON.stringify({ counts, before, after })}\n`);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 3);
    expect(after.threads).toBeLessThanOrEqual(before.threads + 1);
    expect(after.mebibytes - before.mebibytes).toBeLessThan(GROWTH_MIB);
    expect(await (await fetch(`${program.url}/metrics`)).text()).toMatch(/^realizar_defects_total 0$/m);
    const answer = await ask(COMPLETION, JSON.stringify({ ...story, max_tokens: 3 }));
    expect(answer).toMatchObject({ status: 200 });
  },
);
