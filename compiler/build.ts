/** Emitted source -> library and replay program, with cmake; the part that no model changes comes from a cache. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { FILES } from './emit/names.js';
import { BuildError } from './errors.js';
import { RUNTIME_DIR } from './package.js';
import { cacheFolder, RuntimeCache, runtimeKey } from './runtime_cache.js';
import { type Cuda, findProgram, requireBuildTools } from './toolchain.js';

export interface BuildOptions {
  /** Folder of the emitted source; the products are left in its build/out. */
  readonly source: string;
  readonly target: 'cuda' | 'host';
  readonly sanitize: boolean;
  readonly cuda?: Cuda | undefined;
  /** false: compile everything, and keep nothing. */
  readonly cache: boolean;
  readonly detail: (text: string) => void;
  /** Ends the build. */
  readonly interrupted: AbortSignal;
}

export interface BuildResult {
  /** Folder of the products. */
  readonly products: string;
  /** Where the runtime came from, for the reader of the progress. */
  readonly runtime: string;
}

/** To CMake, Ninja or the shell that they call these mean something else. */
const FOREIGN_TO_BUILD = /["$;\\|\n\r]/;

/** Errors: BuildError for a folder of which no build comes. */
export function requirePlainPath(folder: string): void {
  const path = resolvePath(folder);
  const odd = FOREIGN_TO_BUILD.exec(path)?.[0];
  if (odd === undefined) return;
  throw new BuildError(
    `${JSON.stringify(path)} has a ${JSON.stringify(odd)} in it, which cmake cannot build with; choose another folder with -o`,
  );
}

/** Errors: BuildError with the compiler's own words. */
export async function build(options: BuildOptions): Promise<BuildResult> {
  const { source, target, sanitize, cuda, detail, interrupted } = options;
  const { cmake } = requireBuildTools();
  const folder = join(source, FILES.build);
  const archives = join(folder, 'runtime'); // where cmake puts them if it has to make them
  const cache = new RuntimeCache(cacheFolder());
  const key = options.cache ? runtimeKey({ target, sanitize, toolkit: cuda?.toolkit }) : undefined;
  const restored = key !== undefined && cache.restore(key, archives);
  const generator = findProgram('ninja') ? ['-G', 'Ninja'] : ['-G', 'Unix Makefiles'];
  // Said, because CMake takes another from the environment.
  const settings = [
    '-DCMAKE_BUILD_TYPE=Release',
    `-DREALIZAR_RUNTIME=${RUNTIME_DIR}`,
    `-DREALIZAR_SANITIZE=${sanitize ? 'ON' : 'OFF'}`,
  ];
  if (cuda !== undefined) settings.push(`-DNVCC=${cuda.nvcc}`);
  if (restored) settings.push(`-DREALIZAR_PREBUILT=${archives}`);
  detail('configuring');
  await run(cmake, ['-S', source, '-B', folder, ...generator, ...settings], interrupted, () => {});
  await run(cmake, ['--build', folder, '--parallel', String(availableParallelism())], interrupted, (line) => {
    const step = /^\[([^\]]+)\] (?:Building|Linking|Generating) (.*)$/.exec(line);
    if (step) detail(`[${step[1]!.trim()}] ${step[2]!.split('/').at(-1)!.replace(/\.o$/, '')}`);
  });
  return {
    products: join(folder, 'out'),
    runtime: restored ? 'runtime as compiled before' : store(cache, key, archives),
  };
}

/** A cache that cannot be written costs the next compile time and this one nothing; the reader of the progress is told. */
function store(cache: RuntimeCache, key: string | undefined, archives: string): string {
  if (key === undefined) return 'runtime compiled';
  try {
    cache.store(key, archives);
    return 'runtime compiled';
  } catch (error) {
    return `runtime compiled, and not kept: ${(error as Error).message}`;
  }
}

/** That a compiler has to end by itself when it is interrupted. */
const PATIENCE_MS = 3000;

function run(
  program: string,
  args: readonly string[],
  interrupted: AbortSignal,
  onLine: (line: string) => void,
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
      clearTimeout(killer);
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
