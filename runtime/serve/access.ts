import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ApiError } from './errors.js';
import { PAGE_PATHS } from './page.js';

/** Everybody may see that the server is alive, and the page, which asks for the key. */
const OPEN = new Set([...PAGE_PATHS.keys(), '/health']);

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Refuses requests without `Authorization: Bearer KEY`. Comparing takes the same time whatever is in the header. */
export function requireApiKey(app: FastifyInstance, apiKey: string): void {
  const expected = digest(apiKey);
  app.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (OPEN.has(routeOptions.url ?? '')) return;
    const [, given] = /^Bearer +(.*)$/i.exec(headers.authorization ?? '') ?? [];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    const message =
      given === undefined
        ? 'This server needs an API key: send it as the header Authorization: Bearer KEY.'
        : 'Incorrect API key provided.';
    throw new ApiError(401, message, { code: 'invalid_api_key', headers: { 'www-authenticate': 'Bearer' } });
  });
}
