/** Emitted source -> library and replay program, with cmake. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { FILES } from './emit/names.js';
import { BuildError } from './errors.js';
import { RUNTIME_DIR } from './package.js';
import { findProgram, requireBuildTools } from './toolchain.js';

export interface BuildOptions {
  /** Folder of the emitted source; the products are left in its build/out. */
  readonly source: string;
  readonly sanitize: boolean;
  readonly nvcc?: string | undefined;
  readonly detail: (text: string) => void;
  /** Ends the build. */
  readonly interrupted: AbortSignal;
}

/** Returns the folder of the products. Errors: BuildError with the compiler's own words. */
export async function build({ source, sanitize, nvcc, detail, interrupted }: BuildOptions): Promise<string> {
  const { cmake } = requireBuildTools();
  const folder = join(source, FILES.build);
  const generator = findProgram('ninja') ? ['-G', 'Ninja'] : ['-G', 'Unix Makefiles'];
  const settings = [`-DREALIZAR_RUNTIME=${RUNTIME_DIR}`, `-DREALIZAR_SANITIZE=${sanitize ? 'ON' : 'OFF'}`];
  if (nvcc !== undefined) settings.push(`-DNVCC=${nvcc}`);
  detail('configuring');
  await run(cmake, ['-S', source, '-B', folder, ...generator, ...settings], interrupted, () => {});
  await run(cmake, ['--build', folder, '--parallel', String(availableParallelism())], interrupted, (line) => {
    const step = /^\[([^\]]+)\] (?:Building|Linking|Generating) (.*)$/.exec(line);
    if (step) detail(`[${step[1]!.trim()}] ${step[2]!.split('/').at(-1)!.replace(/\.o$/, '')}`);
  });
  return join(folder, 'out');
}

function run(
  program: string,
  args: readonly string[],
  interrupted: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // A process group, so that an interrupt ends the compilers too, and we see their end before we clean up.
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const stop = () => child.pid !== undefined && process.kill(-child.pid, 'SIGTERM');
    interrupted.addEventListener('abort', stop);
    if (interrupted.aborted) stop();
    const lines: string[] = [];
    let rest = '';
    const take = (chunk: Buffer) => {
      const parts = (rest + chunk.toString('utf8')).split('\n');
      rest = parts.pop()!;
      for (const line of parts) {
        lines.push(line);
        onLine(line);
      }
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => reject(new BuildError(`${program}: ${error.message}`)));
    child.on('close', (code, signal) => {
      interrupted.removeEventListener('abort', stop);
      if (interrupted.aborted) return reject(new BuildError('interrupted'));
      if (code === 0) return resolve();
      const how = signal ? `was ended by ${signal}` : `failed with exit code ${code}`;
      reject(new BuildError(`${program} ${how}\n${errorLines([...lines, rest])}`));
    });
  });
}

/** From the first line that speaks of an error, which names the file it is about; all lines where none does. */
function errorLines(lines: readonly string[]): string {
  const first = Math.max(
    0,
    lines.findIndex((line) => /\berror\b|\bfatal\b|CMake Error/i.test(line)),
  );
  return lines
    .slice(first, first + 60)
    .join('\n')
    .trim();
}
