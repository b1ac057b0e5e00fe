/** SIGINT, SIGTERM and SIGHUP during work that must not be cut off in the middle. */
import { say } from './stderr.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work that one of the signals asks to stop, by its argument. Where nobody else listens, the signal takes its effect when
 * the work has ended, and its end is said: a shell reports it as 130 or 143.
 */
export async function interruptible<T>(work: (interrupted: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    received ??= signal;
    controller.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    if (received !== undefined && process.listenerCount(received) === 0) {
      say('interrupted');
      process.kill(process.pid, received);
    }
  }
}
