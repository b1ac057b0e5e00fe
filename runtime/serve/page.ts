/** GET /: the chat page, one file that asks nobody but this server for anything. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { packageFile } from '../../compiler/package.js';

export function pageRoute(app: FastifyInstance): void {
  const html = readFileSync(packageFile('runtime', 'serve', 'page.html'), 'utf8');
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(html, 'script')}`,
    `style-src ${hashOf(html, 'style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  app.get('/', async (_request, reply) => {
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy);
    reply.header('referrer-policy', 'no-referrer').header('cache-control', 'no-cache');
    return html;
  });
}

/** What the policy calls the one element of this name, so that no other script or style can run. */
function hashOf(html: string, element: string): string {
  const [, content] = new RegExp(`<${element}>([^]*?)</${element}>`).exec(html)!;
  return `'sha256-${createHash('sha256').update(content!).digest('base64')}'`;
}
