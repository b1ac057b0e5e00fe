/**
 * Keeps web pages of strangers away from a server that is reached on this machine and asks for no key. A page may give its own
 * name this machine's address (DNS rebinding) and then speak to the server as to its own: the name in Host gives it away.
 */
import { hostname, networkInterfaces } from 'node:os';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './errors.js';

export interface Trusted {
  /** Names that requests may use besides those of this machine; `*` is all. */
  readonly hosts: readonly string[];
  /** Origins whose pages may call the API; `*` is all. */
  readonly origins: readonly string[];
}

const LOOPBACK = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\[::ffff:(127\.|7f)[^\]]*\])$/;
const LOOPBACK_ADDRESS = /^(::ffff:)?127\.|^::1$/;

/** A request names one host, whatever else is asked of it (RFC 9112, 3.2). */
export function requireOneHost(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw }) => {
    const hosts = raw.rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'host');
    if (hosts.length > 1) throw new ApiError(400, `Expected one Host header, found ${hosts.length}.`);
  });
}

export function refuseStrangers(app: FastifyInstance, { hosts, origins }: Trusted): void {
  const names = new Set(hosts.map(nameIn));
  app.addHook('onRequest', async (request) => {
    if (!LOOPBACK_ADDRESS.test(request.socket.localAddress ?? '')) return;
    const host = hostOf(request);
    if (host !== undefined && !names.has('*') && !names.has(nameIn(host)) && !isOwn(nameIn(host)))
      throw new ApiError(
        403,
        `This server is not known as ${shown(host)}. If it is, start it with --allowed-host ${shown(nameIn(host))}, or with an API key.`,
        { code: 'host_not_allowed' },
      );
    const origin = originOf(request);
    if (origin !== undefined && !origins.includes('*') && !origins.includes(origin) && !isSame(origin, host))
      throw new ApiError(
        403,
        `Pages of ${shown(origin)} may not use this server. If they may, start it with --cors ${shown(origin)}.`,
        { code: 'origin_not_allowed' },
      );
  });
}

/** What the request calls this server. Only HTTP/1.0 need not. A target that is a whole URL goes before Host. */
function hostOf({ headers, raw }: FastifyRequest): string | undefined {
  const [, target] = /^https?:\/\/([^/?#]*)/i.exec(raw.url ?? '') ?? [];
  return target ?? headers.host;
}

/** Of the page that asks. Browsers say it, or that another site's page asks without being able to read the answer. */
function originOf({ headers }: FastifyRequest): string | undefined {
  if (headers.origin !== undefined) return headers.origin;
  const isForeign = headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate';
  return isForeign ? 'another site' : undefined;
}

/** Without port, user and a dot at the end. */
const nameIn = (host: string) => host.toLowerCase().replace(/^.*@/, '').replace(/:\d*$/, '').replace(/\.$/, '');

function isOwn(name: string): boolean {
  if (LOOPBACK.test(name) || name === hostname().toLowerCase()) return true;
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.some(({ address, family }) => name === (family === 'IPv6' ? `[${address}]` : address));
}

const isSame = (origin: string, host: string | undefined) =>
  URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();

const shown = (text: string) => text.replace(/[^\x21-\x7e]/g, '?').slice(0, 100);
