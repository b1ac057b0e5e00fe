/** realizar-run serve as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../support/artifacts.js';

export const RUN = join(ROOT, 'dist/runtime/run/cli.js');

export interface Program {
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly stderr: () => string;
  kill(signal: NodeJS.Signals): void;
  /** As a reader of the log that goes away. */
  closeStderr(): void;
}

const running = new Set<ChildProcess>();

/** Starts it on a port of its own; resolves once it takes requests. Errors: it ended before, with what it printed. */
export function startProgram(
  folder: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Program> {
  return startCommand([process.execPath, RUN, 'serve', folder, '--port', '0', ...args], { env });
}

interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** A descriptor instead of a pipe. */
  readonly stderr?: number;
}

/** Starts a command that starts it. */
export function startCommand(
  [command, ...args]: readonly string[],
  { env = {}, cwd, stderr: errors }: CommandOptions = {},
): Promise<Program> {
  const child = spawn(command!, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', errors ?? 'pipe'],
  });
  running.add(child);
  let [stdout, stderr] = ['', ''];
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal!);
    });
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve, reject) => {
    void exited.then((code) => reject(new Error(`it ended with ${code}\n${stderr}`)));
    child.stdout!.on('data', (data) => {
      stdout += data;
      const [, url] = /^listening on (\S+)\n$/m.exec(stdout) ?? [];
      if (url)
        resolve({
          ...{ url, pid: child.pid!, exited, stderr: () => stderr, kill: (signal) => void child.kill(signal) },
          closeStderr: () => child.stderr?.destroy(),
        });
    });
  });
}

export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
}
