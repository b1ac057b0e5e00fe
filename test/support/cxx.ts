/** C++ of tests, compiled a source at a time: where ccache is installed it knows those that have not changed. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { RUNTIME_DIR } from '../../runtime/common/package.js';

const run = promisify(execFile);

const WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas']; // the kernels' unroll is nvcc's
const COMMON = ['-std=c++20', ...WARNINGS, '-pthread', '-fPIC', '-fvisibility=hidden', `-I${RUNTIME_DIR}`];

export const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
/** Test files that compile the same sources with the same flags share what ccache keeps. */
export const PLAIN = [...COMMON, '-O2'];
export const SANITIZED = [...COMMON, '-O0', '-g1', ...SANITIZERS];
export const THREAD_SANITIZED = [...COMMON, '-O1', '-g1', '-fsanitize=thread'];

/** Compiles each source to an object file, side by side; returns those, in order. Throws what the compiler says. */
export async function compileEach(
  compiler: string,
  flags: readonly string[],
  sources: readonly string[],
  objectOf: (source: string) => string,
): Promise<string[]> {
  const { CMAKE_CXX_COMPILER_LAUNCHER: launcher, CCACHE_DIR: cache = '' } = process.env;
  if (launcher) mkdirSync(join(cache, 'locks'), { recursive: true });
  // Test files run side by side: one that needs what another one is compiling waits, and has it from the cache.
  const launch = (source: string) => (launcher ? ['flock', join(cache, 'locks', basename(source)), launcher] : []);
  const waiting = [...sources];
  const worker = async (): Promise<void> => {
    for (let source = waiting.shift(); source; source = waiting.shift()) {
      const [program, ...args] = [...launch(source), compiler, ...flags, '-c', source, '-o', objectOf(source)];
      await run(program!, args);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return sources.map(objectOf);
}
