/** What a body may be made of: its encoding, its charset, its bytes. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { scriptedModel } from './scripted_model.js';
import { closeServers, listen } from './support.js';

closeServers();

const JSON_TYPE = 'application/json';
const text = JSON.stringify({ content: 'café' });

async function send(url: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/tokenize`, {
    method: 'POST',
    headers: { 'content-type': JSON_TYPE, ...headers },
    body: body as Uint8Array<ArrayBuffer>,
  });
  const answer = JSON.parse(await response.text());
  return { status: response.status, answer, headers: response.headers };
}

const tokens = [...'café'].map((character) => character.charCodeAt(0));
const PACKED: [encoding: string, body: Uint8Array][] = [
  ['identity', Buffer.from(text)],
  ['gzip', gzipSync(text)],
  ['GZIP', gzipSync(text)],
  ['x-gzip', gzipSync(text)],
  ['deflate', deflateSync(text)],
  ['deflate', deflateRawSync(text)],
  ['br', brotliCompressSync(text)],
];

test.each(PACKED)('%s is unpacked', async (encoding, body) => {
  const { url } = await listen(scriptedModel());
  expect(await send(url, body, { 'content-encoding': encoding })).toMatchObject({ status: 200, answer: { tokens } });
});

test.each(['compress', 'zstd', 'aws-chunked', 'gzip, gzip', 'constructor'])(
  '%s is refused by name',
  async (encoding) => {
    const { url } = await listen(scriptedModel());
    const { status, answer, headers } = await send(url, gzipSync(text), { 'content-encoding': encoding });
    expect(status).toBe(415);
    expect(answer.error.message).toContain(`Content-Encoding ${encoding}`);
    expect(headers.get('accept-encoding')).toBe('gzip, deflate, br');
  },
);

test('what is not packed as it says is 400', async () => {
  const { url } = await listen(scriptedModel());
  const packed = gzipSync(text);
  for (const [encoding, body] of [
    ['gzip', Buffer.from(text)],
    ['gzip', packed.subarray(0, packed.length - 5)],
    ['deflate', packed],
    ['br', packed],
    ['gzip', new Uint8Array(1)],
  ] as const) {
    const { status, answer } = await send(url, body, { 'content-encoding': encoding });
    expect(status).toBe(400);
    expect(answer.error.message).toContain('Content-Encoding');
  }
});

test('what is too large once unpacked is 413, however small it came', async () => {
  const { url } = await listen(scriptedModel(), { bodyLimit: 10_000 });
  const large = JSON.stringify({ content: 'a'.repeat(5e6) });
  for (const [encoding, pack] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ] as const) {
    const body = pack(large, { level: 9 });
    expect(body.length).toBeLessThan(10_000);
    expect((await send(url, body, { 'content-encoding': encoding })).status).toBe(413);
  }
  expect((await send(url, brotliCompressSync(large), { 'content-encoding': 'br' })).status).toBe(413);
  const fits = JSON.stringify({ content: 'a'.repeat(9_000) });
  expect((await send(url, gzipSync(fits), { 'content-encoding': 'gzip' })).status).toBe(200);
});

test('what is not UTF-8 is 400; a byte order mark is left out', async () => {
  const { url } = await listen(scriptedModel());
  const quoted = (...bytes: number[]) =>
    Buffer.concat([Buffer.from('{"content":"'), Buffer.from(bytes), Buffer.from('"}')]);
  const wrong = [[0xe9], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x80], [0xff]];
  for (const bytes of wrong) {
    const { status, answer } = await send(url, quoted(...bytes));
    expect(status).toBe(400);
    expect(answer.error.message).toContain('not UTF-8');
  }
  expect((await send(url, gzipSync(quoted(0xe9)), { 'content-encoding': 'gzip' })).status).toBe(400);
  for (const utf16 of [Buffer.from(text, 'utf16le'), Buffer.from(`\ufeff${text}`, 'utf16le')])
    expect((await send(url, utf16)).status).toBe(400);
  expect((await send(url, quoted(0xef, 0xbf, 0xbd))).answer.tokens).toEqual([0xfffd]);
  expect((await send(url, Buffer.from(`\ufeff${text}`))).answer).toEqual({ tokens });
});

test('a charset other than UTF-8 is 415', async () => {
  const { url } = await listen(scriptedModel());
  const type = async (parameters: string) =>
    (await send(url, Buffer.from(text), { 'content-type': JSON_TYPE + parameters })).status;
  for (const same of ['; charset=utf-8', ';charset=UTF8', '; charset="utf-8"', '; charset=us-ascii', '; profile=x'])
    expect([same, await type(same)]).toEqual([same, 200]);
  for (const other of ['; charset=iso-8859-1', '; charset=utf-16', '; profile=x; charset=windows-1252'])
    expect([other, await type(other)]).toEqual([other, 415]);
});
