/** GET /: the chat page, whose files ask nobody but this server for anything. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { packageFile } from '../common/package.js';

const { resolve } = createRequire(import.meta.url);

/** Scripts that the page has from other packages, as those publish them for browsers. */
const LIBRARIES: Readonly<Record<string, string>> = {
  'marked.js': resolve('marked'),
  'purify.js': join(dirname(resolve('dompurify')), 'purify.es.mjs'),
};
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};
/** No script but the page's files, no text that becomes one, and nothing from or to another server. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types dompurify',
].join('; ');

/** Paths of the page, which everybody may have: `/` and its files. */
export const PAGE_PATHS = new Map<string, string>(
  Object.entries({
    '/': packageFile('runtime', 'serve', 'page', 'index.html'),
    ...Object.fromEntries(ownFiles().map((name) => [`/page/${name}`, packageFile('runtime', 'serve', 'page', name)])),
    ...Object.fromEntries(Object.entries(LIBRARIES).map(([name, path]) => [`/page/${name}`, path])),
  }),
);

function ownFiles(): string[] {
  return readdirSync(packageFile('runtime', 'serve', 'page')).filter((name) => /\.(js|css)$/.test(name));
}

export function pageRoute(app: FastifyInstance): void {
  for (const [path, file] of PAGE_PATHS) {
    const content = readFileSync(file, 'utf8');
    const type = TYPES[extname(file)] ?? TYPES['.js']!;
    app.get(path, async (_request, reply) => {
      reply.type(type).header('content-security-policy', POLICY);
      reply.header('referrer-policy', 'no-referrer').header('cache-control', 'no-cache');
      reply.header('cross-origin-resource-policy', 'same-origin');
      return content;
    });
  }
}
