/** realizar-run as its users run it: dist/, with the bundled model compiled for the host. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Exit, hostArtifact, ROOT, type RunOptions, runProgram } from '../support/artifacts.js';

export const MODEL = join(ROOT, 'examples/storyteller-q8_0.gguf');
const RUN = join(ROOT, 'dist/runtime/run/cli.js');

/** `name`: of the test file's own. */
export const storyteller = (name: string): Promise<string> => hostArtifact(name, MODEL);

export const realizarRun = (args: readonly string[], options: RunOptions = {}): Promise<Exit> =>
  runProgram(process.execPath, [RUN, ...args], options);

/** The same with a text on stdin. */
export function withInput(input: string, args: readonly string[]): Promise<Exit> {
  const child = spawn(process.execPath, [RUN, ...args]);
  child.stdin.end(input);
  return collect(child).ended;
}

/** Its chunks as they come, and a way to end it. */
export function start(args: readonly string[]) {
  const child = spawn(process.execPath, [RUN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  return { child, ...collect(child) };
}

function collect(child: ReturnType<typeof spawn>) {
  const chunks: string[] = [];
  let [stderr, heard] = ['', () => {}];
  child.stdout!.on('data', (chunk: Buffer) => {
    chunks.push(chunk.toString());
    heard();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Exit>((resolve) => {
    child.on('close', (code, signal) => resolve({ code: code ?? signal ?? -1, stdout: chunks.join(''), stderr }));
  });
  /** Resolves when so many chunks have come. */
  const chunk = (count: number) =>
    new Promise<void>((resolve) => {
      heard = () => chunks.length >= count && resolve();
      heard();
    });
  return { chunks, chunk, ended };
}

export interface Step {
  /** A regular expression, as Python has them. */
  readonly expect: string;
  /** What is typed then. */
  readonly send: string;
}

/** On a terminal: types each step's text once its output has come. */
export async function onTerminal(
  steps: readonly Step[],
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; output: string }> {
  const script = join(ROOT, 'test/run/terminal.py');
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env;
  const command = [script, JSON.stringify(steps), process.execPath, RUN, ...args];
  const exit = await runProgram('python3', command, { env: { ...inherited, TERM: 'xterm-256color', ...env } });
  if (exit.code !== 0) throw new Error(exit.stderr);
  return JSON.parse(exit.stdout);
}
