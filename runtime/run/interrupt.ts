/** Ctrl-C while a command works. */
import { Interrupted } from './exit.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs work that the first signal asks to end, through its argument. A second one ends the process, as if nobody had
 * listened. Errors: Interrupted, whatever else the interrupted work threw.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    end();
    controller.abort(new Interrupted('interrupted'));
  };
  const end = () => {
    for (const name of SIGNALS) process.off(name, stop);
  };
  for (const name of SIGNALS) process.on(name, stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    end();
  }
}
