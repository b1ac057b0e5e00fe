/** cmake: configures and builds, and ends with all that it has started. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BuildError, InterruptedError } from '../common/errors.js';
import { fullDisk, ranOutOfDisk } from './full_disk.js';
import { findProgram, requireBuildTools } from './programs.js';

export interface CmakeBuild {
  /** Of scratch.ts; the products are left in its build/. */
  readonly scratch: string;
  /** Folder of the CMakeLists.txt, in the scratch folder. */
  readonly source: string;
  /** -D options. */
  readonly settings: Readonly<Record<string, string>>;
  /** Ends the build. */
  readonly interrupted?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
}

/** How long a compiler has to end by itself when it is interrupted. */
const PATIENCE_MS = 3000;
const SHOWN_LINES = 60;

/** Returns the folder of the build. Errors: BuildError with the compiler's own words, or that the disk is full. */
export async function buildWithCmake(options: CmakeBuild): Promise<string> {
  const { scratch, source, settings } = options;
  const { cmake } = requireBuildTools();
  const folder = join(scratch, 'build');
  // Said, because CMake takes another generator and build type from the environment.
  const generator = ['-G', findProgram('ninja') ? 'Ninja' : 'Unix Makefiles'];
  const all = Object.entries({ CMAKE_BUILD_TYPE: 'Release', ...settings });
  const defined = all.map(([name, value]) => `-D${name}=${value}`);
  await run(cmake, ['-S', join(scratch, source), '-B', folder, ...generator, ...defined], options, false);
  await run(cmake, ['--build', folder, '--parallel', String(availableParallelism())], options, true);
  return folder;
}

function run(
  program: string,
  args: readonly string[],
  { scratch, interrupted, onLine }: CmakeBuild,
  isBuilding: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // A process group, so that an interrupt ends the compilers too, and we see their end before we clean up.
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const end = (signal: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // it has just ended
      }
    };
    let killer: NodeJS.Timeout | undefined;
    const stop = () => {
      end('SIGTERM');
      killer = setTimeout(() => end('SIGKILL'), PATIENCE_MS); // what does not listen
    };
    interrupted?.addEventListener('abort', stop);
    if (interrupted?.aborted) stop();
    const lines: string[] = [];
    let rest = '';
    const take = (chunk: Buffer) => {
      const parts = (rest + chunk.toString('utf8')).split('\n');
      rest = parts.pop()!;
      for (const line of parts) {
        lines.push(line);
        if (isBuilding) onLine?.(line);
      }
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => reject(new BuildError(`${program}: ${error.message}`)));
    child.on('close', (code, signal) => {
      interrupted?.removeEventListener('abort', stop);
      clearTimeout(killer);
      if (interrupted?.aborted) return reject(new InterruptedError('interrupted'));
      if (code === 0) return resolve();
      const output = [...lines, rest];
      if (ranOutOfDisk(scratch, output.join('\n'))) return reject(fullDisk(scratch, 'set TMPDIR to another folder'));
      const how = signal ? `was ended by ${signal}` : `failed with exit code ${code}`;
      reject(new BuildError(`${program} ${how}\n${errorLines(output)}`));
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
    .slice(first, first + SHOWN_LINES)
    .join('\n')
    .trim();
}
