/** Why a server cannot listen, and what to do. */
import { RunError } from '../exit.js';

interface Place {
  readonly host: string;
  readonly port: number;
}

const WHY: ReadonlyMap<string | undefined, (place: Place) => string> = new Map([
  [
    'EADDRINUSE',
    ({ host, port }) =>
      `port ${port} of ${host} is taken by another program, perhaps by a server that still runs: end that, or choose another port with --port, 0 for one that is free`,
  ],
  ['EACCES', ({ port }) => `this user may not listen on port ${port}: choose one from 1024 on with --port`],
  [
    'EADDRNOTAVAIL',
    ({ host }) => `${host} is no address of this machine: choose one with --host, 0.0.0.0 or :: for all of them`,
  ],
  ['ENOTFOUND', unknownHost],
  ['EAI_AGAIN', unknownHost],
  ['EAFNOSUPPORT', ({ host }) => `this machine has no network of the kind of ${host}: choose another --host`],
]);

function unknownHost({ host }: Place): string {
  return `${host} is no address, and no name that this machine knows: choose one with --host`;
}

/** In words where it is a failure of listening; else as it is. */
export function listenError(error: unknown, place: Place): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const why = syscall === 'listen' || syscall === 'getaddrinfo' ? WHY.get(code) : undefined;
  return why ? new RunError(`cannot listen: ${why(place)} (${code})`) : error;
}
