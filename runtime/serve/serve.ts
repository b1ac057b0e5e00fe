/** realizar-run serve: a model, its server, and their end. */
import type { AddressInfo } from 'node:net';
import type { LanguageModel } from '../llm/index.js';
import type { ServeOptions } from './options.js';
import { createServer, type ModelServer } from './server.js';

export interface ListenOptions extends ServeOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Milliseconds that running requests have to finish in, once the server is to end. */
  readonly drainTimeout: number;
}

/** What is said beside the log of requests. */
export interface Notices {
  /** The server takes requests now. */
  readonly listening: (url: string) => void;
  readonly draining: (signal: string, requests: number) => void;
}

/**
 * Serves the model until SIGTERM or SIGINT, then lets what runs finish. A second signal ends it at once. Resolves with the
 * number of requests that were cut off. The model stays the caller's. Errors: those of listening, with node's codes.
 */
export async function serveUntilSignal(
  model: LanguageModel,
  options: ListenOptions,
  notices: Notices,
): Promise<number> {
  const server = await createServer(model, options);
  try {
    await server.app.listen({ host: options.host, port: options.port });
    const signals = new Signals();
    notices.listening(urlOf(server, options.host));
    const signal = await signals.next();
    notices.draining(signal, server.admission.occupied);
    const drained = server.admission.drain(options.drainTimeout);
    void signals.next().then(() => server.admission.cutOff());
    const cutOff = await drained;
    signals.end();
    return cutOff;
  } finally {
    await server.app.close();
  }
}

function urlOf({ app }: ModelServer, host: string): string {
  const { port } = app.server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** SIGTERM and SIGINT, from now on. */
class Signals {
  static readonly #names = ['SIGTERM', 'SIGINT'] as const;
  readonly #come: string[] = [];
  #wake: (signal: string) => void = () => {};

  constructor() {
    for (const name of Signals.#names) process.on(name, this.#note);
  }

  next(): Promise<string> {
    const waiting = this.#come.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  end(): void {
    for (const name of Signals.#names) process.off(name, this.#note);
  }

  readonly #note = (signal: string) => {
    const wake = this.#wake;
    this.#wake = (next) => this.#come.push(next);
    wake(signal);
  };
}
