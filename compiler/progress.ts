/** Stages of a long command on stderr: one line each, with seconds; rewritten in place on a terminal. */

import { InterruptedError } from '../runtime/common/errors.js';
import { printable } from '../runtime/common/printable.js';

export interface Progress {
  /** Runs a stage and prints how long it took. */
  stage<T>(name: string, run: (detail: (text: string) => void) => T | Promise<T>): Promise<T>;
}

export const silent: Progress = {
  async stage(_name, run) {
    return run(() => {});
  },
};

export function stderrProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const live = stream.isTTY === true;
  const write = (text: string, last: boolean) => {
    if (live) stream.write(`\r\u001b[K${text.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}${last ? '\n' : ''}`);
    else if (last) stream.write(`${text}\n`);
  };
  return {
    async stage(name, run) {
      const start = performance.now();
      let shown = '';
      const show = (last: boolean, mark = '') => {
        const seconds = `${((performance.now() - start) / 1000).toFixed(1)} s`;
        write(printable(`${name.padEnd(8)} ${seconds.padStart(7)}  ${shown}${mark}`), last);
      };
      const timer = live ? setInterval(() => show(false), 100) : undefined;
      try {
        const result = await run((text) => {
          shown = text;
          show(false);
        });
        show(true);
        return result;
      } catch (error) {
        show(true, error instanceof InterruptedError ? ' interrupted' : ' failed');
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
