/** The programs that a build calls: where they are, and what to do where they are not. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BuildError } from './errors.js';

/** CUDA driver API with edge data in graphs; runtime/driver/cuda.cpp asks for the same. */
const LEAST_DRIVER_API = '12.3';

export interface Cuda {
  readonly nvcc: string;
  /** "13.0". */
  readonly toolkit: string;
  /** CUDA version of the oldest driver that loads the machine code this toolkit makes. */
  readonly leastDriver: string;
}

export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  for (const folder of [...folders, ...(process.env.PATH ?? '').split(delimiter)]) {
    if (folder === '') continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return realpathSync(join(folder, name));
    } catch {
      // not here: the next folder
    }
  }
  return undefined;
}

export function findCuda(): Cuda | undefined {
  const homes = [process.env.CUDA_HOME, process.env.CUDA_PATH, '/usr/local/cuda'];
  const nvcc = findProgram(
    'nvcc',
    homes.filter((home) => home !== undefined && home !== '').map((home) => join(home!, 'bin')),
  );
  if (nvcc === undefined) return undefined;
  const release = /release (\d+)\.(\d+)/.exec(execFileSync(nvcc, ['--version'], { encoding: 'utf8' }));
  if (release === null) throw new BuildError(`${nvcc} --version does not say its release`);
  const [, major, minor] = release;
  return {
    nvcc,
    toolkit: `${major}.${minor}`,
    leastDriver: Number(major) > 12 ? `${major}.0` : LEAST_DRIVER_API,
  };
}

/** What C++ is built with and is not here. */
export function missingBuildTools(): string[] {
  return [
    ...(findProgram('cmake') ? [] : ['cmake (3.20 or newer)']),
    ...(['c++', 'g++', 'clang++'].some((name) => findProgram(name)) || process.env.CXX
      ? []
      : ['a C++20 compiler (g++ 11 or newer)']),
    ...(['make', 'ninja'].some((name) => findProgram(name)) ? [] : ['make or ninja']),
  ];
}

/** cmake and a C++ compiler; throws what is missing. */
export function requireBuildTools(): { cmake: string } {
  const cmake = findProgram('cmake');
  const missing = missingBuildTools();
  if (cmake === undefined || missing.length > 0)
    throw new BuildError(
      `cannot build: ${missing.join(' and ')} not found; install it, or stop after emitting with --no-build`,
    );
  return { cmake };
}
