import { afterEach } from 'vitest';
import type { ServedModel, ServeOptions } from '../../runtime/serve/options.js';
import { createServer, type ModelServer } from '../../runtime/serve/server.js';

export interface Listening extends ModelServer {
  readonly url: string;
  /** Lines of the log. */
  readonly lines: string[];
}

const open: Listening[] = [];

/** Listens on a port of its own; closed after the test. */
export async function listen(
  model: ServedModel | Promise<ServedModel>,
  options: ServeOptions = {},
): Promise<Listening> {
  const lines: string[] = [];
  const server = await createServer(model, { log: (line) => void lines.push(line), ...options });
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const listening = { ...server, url, lines };
  open.push(listening);
  return listening;
}

export function closeServers(): void {
  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ app }) => app.close()));
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly body: any;
}

export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Waits until it holds; the deadline is generous, since the machine may be busy. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 240_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited four minutes for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
