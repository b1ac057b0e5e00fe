/** Command lines without a process of their own, where many are tried: starting node takes longer than what they do. */
import { run as compiler } from '../../compiler/command.js';
import { run as runner } from '../../runtime/run/command.js';
import type { Exit } from './artifacts.js';

const PROGRAMS = { 'realizar-compile': compiler, 'realizar-run': runner };
export type Program = keyof typeof PROGRAMS;

/** What the program writes and its exit code, as run in a folder. One at a time. */
export async function inProcess(program: Program, args: readonly string[], cwd: string): Promise<Exit> {
  const before = process.cwd();
  const [stdout, stderr] = [captured(process.stdout), captured(process.stderr)];
  try {
    process.chdir(cwd);
    const code = await PROGRAMS[program]([process.execPath, program, ...args]);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.chdir(before);
    stdout.release();
    stderr.release();
  }
}

function captured(stream: NodeJS.WriteStream) {
  const { write } = stream;
  let text = '';
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    text += chunk.toString();
    const done = rest.at(-1);
    if (typeof done === 'function') done();
    return true;
  };
  return {
    text: () => text,
    release: () => {
      stream.write = write;
    },
  };
}
