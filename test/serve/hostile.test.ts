/** Clients that mean no good, logs that cannot be written, connections that say nothing: the server goes on. */
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { merge } from '../../runtime/serve/merge.js';
import { scriptedModel } from './scripted_model.js';
import { closeServers, type Listening, listen, post, until } from './support.js';

closeServers();

const CHAT = '/v1/chat/completions';
const COMPLETION = '/v1/completions';
const body = JSON.stringify({ prompt: 'a', max_tokens: 1 });

function open({ url }: Listening, text = ''): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  socket.on('error', () => {});
  if (text !== '') socket.write(text);
  return socket;
}

/** What comes of it until the server has closed the connection. */
const answerTo = async (server: Listening, text: string) =>
  Buffer.concat(await open(server, text).toArray()).toString();

const connectionsOf = ({ app }: Listening) =>
  new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)));

const request = (headers: string, path = COMPLETION) =>
  `POST ${path} HTTP/1.1\r\n${headers}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
const statusOf = (answer: string) => Number(answer.split(' ')[1]);

describe('the log', () => {
  test('that cannot be written is counted, said once, and no request fails', async () => {
    let full = true;
    const lines: string[] = [];
    const said: string[] = [];
    const log = (line: string) => {
      if (full) throw new Error('ENOSPC: no space left on device');
      lines.push(line);
    };
    const { url } = await listen(scriptedModel(), { log, logBroken: (problem) => void said.push(problem) });
    const metric = async () =>
      /^realizar_log_lines_dropped_total (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text());
    for (let i = 0; i < 3; i++) expect((await post(url + COMPLETION, body)).status).toBe(200);
    await until(async () => Number((await metric())?.[1]) >= 3, 'the dropped lines to be counted');
    full = false;
    await post(url + COMPLETION, body);
    await until(() => lines.some((line) => line.includes(COMPLETION)), 'the log to go on');
    expect(lines[0]).toMatch(/^log: \d+ lines could not be written$/);
    expect(said).toEqual(['the log cannot be written: ENOSPC: no space left on device']);
  });
});

describe('a name that is not this machine', () => {
  const own = [
    'localhost',
    'LOCALHOST:1',
    'localhost.',
    'a.localhost',
    '127.0.0.1:80',
    '127.1.2.3',
    '[::1]:8080',
    hostname(),
  ];
  const foreign = [
    'evil.example.com',
    'evil',
    'localhost.evil.com',
    '127.0.0.1.nip.io',
    '8.8.8.8',
    '[2001:db8::1]',
    'localhost@evil.com',
    'x127.0.0.1',
    '',
  ];

  test('is refused, on every path; names of this machine are not', async () => {
    const server = await listen(scriptedModel());
    for (const host of own)
      expect([host, statusOf(await answerTo(server, request(`Host: ${host}\r\n`)))]).toEqual([host, 200]);
    for (const host of foreign) {
      const answer = await answerTo(server, request(`Host: ${host}\r\n`));
      expect([host, statusOf(answer)]).toEqual([host, 403]);
      expect(answer).toContain('--allowed-host');
    }
    for (const path of ['/', '/health', '/v1/models', '/metrics', '/nowhere']) {
      const text = `GET ${path} HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n`;
      expect(statusOf(await answerTo(server, text))).toBe(403);
    }
    const whole = `GET http://evil.example.com/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    expect(statusOf(await answerTo(server, whole))).toBe(403);
  });

  test('is let in by --allowed-host, or with a key', async () => {
    const named = await listen(scriptedModel(), { allowedHosts: ['chat.example', '[2001:db8::1]'] });
    for (const host of ['chat.example', 'Chat.Example:8080', '[2001:db8::1]'])
      expect(statusOf(await answerTo(named, request(`Host: ${host}\r\n`)))).toBe(200);
    expect(statusOf(await answerTo(named, request('Host: evil.example\r\n')))).toBe(403);
    const any = await listen(scriptedModel(), { allowedHosts: ['*'] });
    expect(statusOf(await answerTo(any, request('Host: evil.example\r\n')))).toBe(200);
    const keyed = await listen(scriptedModel(), { apiKey: 'sesame' });
    expect(statusOf(await answerTo(keyed, request('Host: evil.example\r\nAuthorization: Bearer sesame\r\n')))).toBe(
      200,
    );
    expect(statusOf(await answerTo(keyed, request('Host: evil.example\r\n')))).toBe(401);
  });

  test('may be missing in HTTP/1.0 alone, and is given once', async () => {
    const server = await listen(scriptedModel());
    expect(statusOf(await answerTo(server, 'GET /health HTTP/1.0\r\n\r\n'))).toBe(200);
    expect(statusOf(await answerTo(server, 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'))).toBe(400);
    for (const apiKey of [undefined, 'sesame']) {
      const either = await listen(scriptedModel(), { apiKey });
      const two = 'Host: localhost\r\nhost: localhost\r\nAuthorization: Bearer sesame\r\n';
      expect(statusOf(await answerTo(either, request(two)))).toBe(400);
    }
  });

  test('in Origin: pages of others are refused unless --cors lets them in', async () => {
    const server = await listen(scriptedModel());
    const { host } = new URL(server.url);
    const ask = (to: Listening, headers: string) =>
      answerTo(to, request(`Host: ${new URL(to.url).host}\r\n${headers}`));
    expect(statusOf(await ask(server, `Origin: http://${host}\r\n`))).toBe(200);
    for (const origin of ['http://evil.example', 'https://localhost:1', 'null', 'chrome-extension://abc']) {
      const answer = await ask(server, `Origin: ${origin}\r\n`);
      expect([origin, statusOf(answer)]).toEqual([origin, 403]);
      expect(answer).toContain(`--cors ${origin}`);
    }
    expect(statusOf(await ask(server, 'Sec-Fetch-Site: cross-site\r\n'))).toBe(403);
    expect(statusOf(await ask(server, 'Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n'))).toBe(200);
    const open = await listen(scriptedModel(), { cors: ['http://friend.example'] });
    expect(statusOf(await ask(open, 'Origin: http://friend.example\r\n'))).toBe(200);
    expect(statusOf(await ask(open, 'Origin: http://evil.example\r\n'))).toBe(403);
  });
});

describe('bytes that are no ordinary request', () => {
  const host = 'Host: localhost\r\n';
  const json = `${host}Content-Type: application/json\r\nConnection: close\r\n`;
  const head = `POST ${COMPLETION} HTTP/1.1\r\n${json}`;
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n`;
  const get = (target: string, headers = '') => `GET ${target} HTTP/1.1\r\n${host}${headers}Connection: close\r\n\r\n`;

  test.each([
    ['a handshake of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc', 400],
    ["HTTP/2's preface", 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a version that is none', `GET /health HTTP/9.9\r\n${host}\r\n`, 400],
    ['a header of 1 MiB', get('/health', `X: ${'y'.repeat(1 << 20)}\r\n`), 431],
    ['5000 headers', get('/health', Array.from({ length: 5000 }, (_, i) => `X-${i}: y\r\n`).join('')), 431],
    ['a path of 1 MiB', get(`/${'a'.repeat(1 << 20)}`), 431],
    ['a header over two lines', get('/health', 'X: a\r\n b\r\n'), 400],
    ['NUL in a header', get('/health', 'X: a\0b\r\n'), 400],
    ['% that encodes nothing', get('/%zz%00'), 400],
    ['bytes that are no UTF-8 in a path', get('/v1/models/%ff%fe'), 400],
    ['a path upwards', get('/page/../../../../etc/passwd'), 404],
    ['a path upwards, encoded', get('/page/..%2f..%2f..%2fpackage.json'), 404],
    ['a name that every object has, as a model', get('/v1/models/__proto__'), 404],
    ['an upgrade to WebSocket', get('/health', 'Upgrade: websocket\r\n').replace('close', 'Upgrade, close'), 200],
    ['TRACE', `TRACE / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 405],
    ['lengths that differ', `${head}Content-Length: 5\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 400],
    ['a length below 0', `${head}Content-Length: -5\r\n\r\nx`, 400],
    ['a length that nobody has', `${head}Content-Length: 99999999999999\r\n\r\nx`, 413],
    ['length and chunks', `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`, 400],
    ['an encoding like chunked', `${head}Transfer-Encoding: xchunked\r\n\r\n${chunk}0\r\n\r\n`, 400],
    ['a chunk whose length is no number', `${head}Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n`, 400],
    ['a chunk of 2^68 bytes', `${head}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc`, 400],
    ['a long chunk extension', `${head}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(40000)}\r\nabc`, 413],
    ['chunks and a trailer', `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\nHost: evil.example\r\n\r\n`, 200],
    ['an expectation that is none', `${head}Expect: bogus\r\nContent-Length: 1\r\n\r\nx`, 417],
  ])('%s', async (_, text, status) => {
    const server = await listen(scriptedModel());
    expect(statusOf(await answerTo(server, text))).toBe(status);
    expect((await post(server.url + COMPLETION, body)).status).toBe(200);
  });

  test('50 requests at once on a connection are answered in order', async () => {
    const server = await listen(scriptedModel());
    const one = `POST ${COMPLETION} HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const answer = await answerTo(server, one.repeat(49) + request(host));
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(50);
  });
});

describe('connections', () => {
  test('that send no whole request get 408 and are closed, though the client keeps its side open', async () => {
    const server = await listen(scriptedModel(), { requestTimeout: 400 });
    const head = `POST ${COMPLETION} HTTP/1.1\r\nHost: localhost\r\n`;
    const texts = ['', head, `${head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`];
    const sockets = texts.map((text) => open(server, text));
    const answers = await Promise.all(sockets.map(async (socket) => Buffer.concat(await socket.toArray()).toString()));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408 .*Connection: close/s);
    await until(async () => (await connectionsOf(server)) === 0, 'the server to have let go of them');
    for (const socket of sockets) socket.destroy();
  });

  test('beyond the limit are closed as they come, and counted', { timeout: 20_000 }, async () => {
    const server = await listen(scriptedModel(), { maxConnections: 2 });
    const idle = [open(server), open(server)];
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const third = open(server, request('Host: localhost\r\n'));
    expect(await third.toArray().catch(() => [])).toEqual([]);
    for (const socket of idle) socket.destroy();
    await until(async () => (await connectionsOf(server)) === 0, 'room again');
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/^realizar_connections_dropped_total [1-9]/m);
  });

  test('with garbage behind a request: nothing is written into the answer that runs', async () => {
    const stream = JSON.stringify({ prompt: 'a', stream: true, max_tokens: 1000 });
    const head = `POST ${COMPLETION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    for (const garbage of ['GARBAGE\r\n\r\n', '\x16\x03\x01\x02\x00', 'GET / HTTP/9.9\r\n\r\n']) {
      let count = 0;
      const beforeToken = () => new Promise<void>((resolve) => setTimeout(resolve, ++count < 5 ? 0 : 20));
      const model = scriptedModel({ beforeToken });
      const server = await listen(model);
      const socket = open(server, `${head}Content-Length: ${stream.length}\r\n\r\n${stream}`);
      let answer = '';
      socket.on('data', (data) => {
        answer += data;
      });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.once('end', () => socket.end());
      await until(() => answer.includes('data: '), 'the stream to begin');
      socket.write(garbage);
      await closed;
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      await until(() => server.admission.occupied === 0, 'its place to be free');
    }
  });
});

describe('names that every object of JavaScript has', () => {
  const names = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', '__defineGetter__'];
  const messages = [{ role: 'user', content: 'hi' }];

  test('are unknown parameters like others', async () => {
    const { url } = await listen(scriptedModel());
    for (const path of [CHAT, COMPLETION, '/tokenize', '/detokenize'])
      for (const name of names) {
        const more = { messages, prompt: 'a', content: 'a', tokens: [1] };
        const { status, body } = await post(url + path, { ...more, [name]: 1 });
        expect([path, name, status]).toEqual([path, name, 400]);
        expect(body.error.message).toMatch(/^Unrecognized request argument/);
      }
    for (const name of names) {
      const { body } = await post(url + CHAT, { messages, [name]: 1 });
      expect(body.error).toMatchObject({ param: name, code: 'unknown_parameter' });
    }
  });

  test('are refused as models, biases, roles and types, and as nothing else', async () => {
    const { url } = await listen(scriptedModel());
    for (const name of [...names, '__proto__']) {
      expect((await post(url + CHAT, { messages, model: name })).status).toBe(404);
      expect((await fetch(`${url}/v1/models/${name}`)).status).toBe(404);
      const bias = `{"messages":[{"role":"user","content":"a"}],"logit_bias":{"${name}":1}}`;
      expect((await post(url + CHAT, bias)).status).toBe(400);
      expect((await post(url + CHAT, { messages: [{ role: name, content: '' }] })).status).toBe(400);
      expect(
        (await post(url + CHAT, { messages: [{ role: 'user', content: [{ type: name, text: '' }] }] })).status,
      ).toBe(400);
      expect((await post(url + CHAT, { messages, response_format: { type: name } })).status).toBe(400);
    }
    const metadata = Object.fromEntries(names.map((name) => [name, '1']));
    expect((await post(url + CHAT, { messages, metadata, max_tokens: 1 })).status).toBe(200);
  });

  test('__proto__ is refused wherever it stands', async () => {
    const { url } = await listen(scriptedModel());
    const message = '{"role":"user","content":"a"}';
    for (const text of [
      `{"messages":[${message}],"__proto__":{"stream":true}}`,
      `{"messages":[${message}],"metadata":{"__proto__":1}}`,
      `{"messages":[{"role":"user","content":"a","__proto__":{"x":1}}]}`,
      `{"messages":[${message}],"chat_template_kwargs":{"a":[{"\\u005f_proto__":1}]}}`,
    ]) {
      const { status, body } = await post(url + CHAT, text);
      expect(status).toBe(400);
      expect(body.error.message).toContain('"__proto__"');
    }
  });
});

test('values in values without end are refused, wherever they stand', async () => {
  const { url } = await listen(scriptedModel());
  const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
  const objects = `${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`;
  for (const value of [deep, objects])
    for (const text of [
      `{"messages":[{"role":"user","content":"a"}],"metadata":${value}}`,
      `{"messages":[{"role":"user","content":"a","x":${value}}]}`,
      `{"messages":${value}}`,
      value,
    ])
      expect((await post(url + CHAT, text)).status).toBe(400);
});

describe('merge', () => {
  test('hands over what comes, as it comes, and the first failure', async () => {
    async function* count(to: number, every: number) {
      for (let i = 0; i < to; i++) {
        for (let turn = 0; turn < every; turn++) await null;
        yield `${every}:${i}`;
      }
    }
    const all: string[] = [];
    for await (const value of merge([count(3, 1), count(2, 7), count(0, 1)])) all.push(value);
    expect(all.filter((value) => value.startsWith('1:'))).toEqual(['1:0', '1:1', '1:2']);
    expect(all.filter((value) => value.startsWith('7:'))).toEqual(['7:0', '7:1']);
    async function* fails() {
      yield 'a';
      throw new Error('broken');
    }
    await expect(async () => {
      for await (const _ of merge([fails(), count(1e9, 1)]));
    }).rejects.toThrow('broken');
  });

  test('needs no more memory for sources that wait', async () => {
    const never: AsyncIterator<number> = { next: () => new Promise(() => {}) };
    const waiting = Array.from({ length: 64 }, () => never);
    let left = 100_000;
    const busy = { next: async () => ({ done: false as const, value: --left }) };
    const merged = merge<number>([...waiting, busy]);
    const take = async (count: number) => {
      for (let i = 0; i < count; i++) await merged.next();
      globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    };
    const before = await take(1_000);
    // A promise kept for each of 64 sources and each value would be a gigabyte.
    expect((await take(90_000)) - before).toBeLessThan(100e6);
  });
});
