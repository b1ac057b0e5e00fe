/** C++ of tests, compiled a source at a time: where ccache is installed it knows those that have not changed. */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Compiles each source to an object file, side by side; returns those, in order. Throws what the compiler says. */
export async function compileEach(
  compiler: string,
  flags: readonly string[],
  sources: readonly string[],
  objectOf: (source: string) => string,
): Promise<string[]> {
  const { CMAKE_CXX_COMPILER_LAUNCHER: launcher } = process.env;
  const [program, ...first] = launcher ? [launcher, compiler] : [compiler];
  const waiting = [...sources];
  const worker = async (): Promise<void> => {
    for (let source = waiting.shift(); source; source = waiting.shift())
      await run(program, [...first, ...flags, '-c', source, '-o', objectOf(source)]);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return sources.map(objectOf);
}
