/** Bodies of requests: bytes to JSON. What is compressed is unpacked within the limit; nothing is converted in silence. */
import { promisify, TextDecoder } from 'node:util';
import zlib from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseJson } from '../llm/index.js';
import { ApiError, bodyTooLarge } from './errors.js';

type Unpack = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const [gunzip, inflate, inflateRaw, brotli] = [zlib.gunzip, zlib.inflate, zlib.inflateRaw, zlib.brotliDecompress].map(
  (unpack) => promisify(unpack) as Unpack,
) as [Unpack, Unpack, Unpack, Unpack];

/** A zlib stream begins with 8 in its lower four bits; some clients send the bare deflate data. */
const deflate: Unpack = (bytes, options) => ((bytes[0]! & 15) === 8 ? inflate : inflateRaw)(bytes, options);

const UNPACK: ReadonlyMap<string, Unpack> = new Map([
  ['identity', async (bytes) => bytes],
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', deflate],
  ['br', brotli],
]);
const ACCEPTED = 'gzip, deflate, br';
const MAX_DEPTH = 128;

/** Throws for bytes that are no UTF-8. A byte order mark is left out, which RFC 8259 allows. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

export function jsonBodies(app: FastifyInstance, limit: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    checkCharset(request.headers['content-type'] ?? '');
    return parse(await unpacked(body, request.headers['content-encoding'], limit));
  });
}

/** The texts of bodies that are being answered. */
const texts = new WeakMap<object, string>();

/** A body as `parseJson` reads it: a chat template sees the order of keys, and 1.0, which JSON.parse loses. */
export function exactBody(body: object): ReadonlyMap<string, unknown> {
  const exact = parseJson(texts.get(body)!);
  return exact instanceof Map ? exact : new Map(Object.entries(exact as object));
}

function checkCharset(contentType: string): void {
  const [, charset] = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(contentType) ?? [];
  if (charset === undefined || /^(utf-?8|us-ascii)$/i.test(charset)) return;
  throw new ApiError(
    415,
    `The request body must be UTF-8, found the charset ${charset.slice(0, 40)} in Content-Type.`,
    {
      code: 'unsupported_media_type',
    },
  );
}

async function unpacked(body: Buffer, encoding: string | undefined, limit: number): Promise<Buffer> {
  if (encoding === undefined || body.length === 0) return body;
  const unpack = UNPACK.get(encoding.trim().toLowerCase());
  if (!unpack) {
    const message = `The Content-Encoding ${encoding.slice(0, 40)} is not supported: expected one of ${ACCEPTED}, or none.`;
    throw new ApiError(415, message, { code: 'unsupported_encoding', headers: { 'accept-encoding': ACCEPTED } });
  }
  try {
    return await unpack(body, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(limit);
    throw unreadable(`it is no ${encoding.slice(0, 40)} data, as its Content-Encoding says`);
  }
}

function parse(bytes: Buffer): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw unreadable('it is not UTF-8, which JSON is (RFC 8259)');
  }
  if (text === '') throw unreadable('it is empty; expected JSON');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(`it is no JSON: ${(error as Error).message}`);
  }
  checkShape(value);
  if (typeof value === 'object' && value !== null) texts.set(value, text);
  return value;
}

/** Errors: 400 for values in values in values without end, and for a name that some program would take for a prototype. */
function checkShape(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw unreadable(`expected at most ${MAX_DEPTH} values within each other`);
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue;
      if (Object.hasOwn(item, '__proto__')) throw unreadable('"__proto__" is no name that is allowed in it');
      for (const inner of Object.values(item)) if (typeof inner === 'object' && inner !== null) next.push(inner);
    }
    level = next;
  }
}

const unreadable = (why: string) => new ApiError(400, `The request body could not be read: ${why}.`);
