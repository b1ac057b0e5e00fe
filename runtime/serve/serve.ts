/** realizar-run serve: a server, its model, and their end. */
import type { AddressInfo } from 'node:net';
import type { ServedModel, ServeOptions } from './options.js';
import { watchNpm } from './parent.js';
import { createServer, type ModelServer } from './server.js';
import { Signals } from './signals.js';

export interface ListenOptions extends ServeOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Milliseconds that running requests have to finish in, once the server is to end. */
  readonly drainTimeout: number;
}

/** What is said beside the log of requests. */
export interface Notices {
  /** The port is taken, and the model is being loaded. */
  readonly loading: (url: string) => void;
  /** The server takes requests now. */
  readonly listening: (url: string) => void;
  readonly draining: (signal: string, requests: number) => void;
  /** A failure that belongs to no request. */
  readonly defect: (error: unknown) => void;
}

/** Loads a model, hands it over, and closes it when `use` has ended. */
export type Load = (signal: AbortSignal, use: (model: ServedModel) => Promise<number>) => Promise<number>;

/** Once all is done, what does not end by itself has so long, ms. */
const END = 5_000;

/**
 * Listens, loads the model, and serves it until SIGTERM or SIGINT; then lets what runs finish. A second signal ends it at
 * once. Resolves with the number of requests that were cut off. Errors: those of listening, with node's codes; those of `load`.
 */
export async function serveUntilSignal(load: Load, options: ListenOptions, notices: Notices): Promise<number> {
  let open = (_model: ServedModel) => {};
  const model = new Promise<ServedModel>((resolve) => {
    open = resolve;
  });
  const server = await createServer(model, options);
  await server.app.listen({ host: options.host, port: options.port });
  const url = urlOf(server, options.host);
  const signals = new Signals();
  const stopWatching = survive((error) => {
    server.metrics.defect();
    notices.defect(error);
  });
  watchNpm(() => signals.note('npm is gone'));
  notices.loading(url);
  try {
    const serving = async (loaded: ServedModel) => {
      open(loaded);
      notices.listening(url);
      return untilSignal(server, signals, options, notices);
    };
    return await loadUntilSignal(load, signals, serving);
  } finally {
    exitAfter(END);
    stopWatching();
    await server.app.close();
    signals.end();
  }
}

/** Loading ends with a signal, and nothing was cut off then. */
async function loadUntilSignal(
  load: Load,
  signals: Signals,
  serving: (model: ServedModel) => Promise<number>,
): Promise<number> {
  const controller = new AbortController();
  const ended = new Error('the server was ended while its model was loaded');
  const stop = signals.onNext(() => controller.abort(ended));
  try {
    return await load(controller.signal, (model) => {
      stop();
      return serving(model);
    });
  } catch (error) {
    if (error !== ended) throw error;
    return 0;
  }
}

async function untilSignal(
  { admission, texts }: ModelServer,
  signals: Signals,
  { drainTimeout }: ListenOptions,
  notices: Notices,
): Promise<number> {
  const signal = await signals.next();
  const both = [admission, texts];
  notices.draining(signal, admission.occupied + texts.occupied);
  const drained = Promise.all(both.map((one) => one.drain(drainTimeout)));
  void signals.next().then(() => {
    for (const one of both) one.cutOff();
  });
  const [generations, others] = await drained;
  return generations! + others!;
}

/** An exception that nobody caught ends no server: whoever's request it was waits in vain, all others are served. */
function survive(report: (error: unknown) => void): () => void {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  for (const event of events) process.on(event, report);
  return () => {
    for (const event of events) process.off(event, report);
  };
}

/** A device that hangs keeps no server from ending. */
function exitAfter(milliseconds: number): void {
  setTimeout(() => process.exit(process.exitCode ?? 1), milliseconds).unref();
}

function urlOf({ app }: ModelServer, host: string): string {
  const { port } = app.server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
