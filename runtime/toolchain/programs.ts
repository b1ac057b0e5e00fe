/** The programs that a build calls: where they are, and what to do where they are not. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { BuildError } from '../common/errors.js';

export interface Cuda {
  readonly nvcc: string;
  /** Of CUDACXX, before all others: what a launcher starts. */
  readonly arguments: readonly string[];
  /** "13.0". */
  readonly toolkit: string;
}

/**
 * Its absolute path under the name that it was found by: what is there may be a link to a program that looks at the name it is
 * called by, as of snap, mise or ccache.
 */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders, ...path].map((folder) => resolve(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** A program, and arguments that come before all others. */
interface Command {
  readonly program: string;
  readonly arguments: readonly string[];
}

/**
 * What a variable like CXX names, as CMake reads it: a program, perhaps with blanks in its path, and perhaps arguments after
 * it. Undefined where that is not there.
 */
function commandOf(text: string): Command | undefined {
  const find = (name: string) => (name.includes('/') ? [resolve(name)].find(isProgram) : findProgram(name));
  const words = text.trim().split(' ');
  for (const count of [words.length, ...words.keys()]) {
    const program = count > 0 ? find(words.slice(0, count).join(' ')) : undefined;
    if (program !== undefined) return { program, arguments: words.slice(count).filter((word) => word !== '') };
  }
  return undefined;
}

/** Errors: BuildError for a CUDACXX that is not there, and for an nvcc that does not answer. */
export function findCuda(): Cuda | undefined {
  const command = nvccCommand();
  if (command === undefined) return undefined;
  const { program: nvcc, arguments: args } = command;
  const release = /release (\d+)\.(\d+)/.exec(versionOf(nvcc, args));
  if (release === null) throw new BuildError(`${nvcc} --version does not say its release`);
  return { nvcc, arguments: args, toolkit: `${release[1]}.${release[2]}` };
}

function nvccCommand(): Command | undefined {
  const { CUDACXX, CUDA_HOME, CUDA_PATH } = process.env;
  if (CUDACXX) return commandOf(CUDACXX) ?? notThere('CUDACXX', CUDACXX);
  const homes = [CUDA_HOME, CUDA_PATH, '/usr/local/cuda'].filter((home) => home !== undefined && home !== '');
  const program = findProgram(
    'nvcc',
    homes.map((home) => join(home!, 'bin')),
  );
  return program === undefined ? undefined : { program, arguments: [] };
}

function versionOf(nvcc: string, args: readonly string[]): string {
  try {
    return execFileSync(nvcc, [...args, '--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new BuildError(`${nvcc} does not say its version: ${(error as Error).message}`);
  }
}

function notThere(variable: string, value: string): never {
  throw new BuildError(`${variable} is ${JSON.stringify(value)}, and there is no such program; correct it or unset it`);
}

/** The C++ compiler that cmake takes. Undefined: there is none. Errors: BuildError for a CXX that is not there. */
export function cxxCommand(): Command | undefined {
  const { CXX } = process.env;
  if (CXX) return commandOf(CXX) ?? notThere('CXX', CXX);
  const program = ['c++', 'g++', 'clang++'].map((name) => findProgram(name)).find((found) => found !== undefined);
  return program === undefined ? undefined : { program, arguments: [] };
}

/** What C++ is built with and is not here. */
export function missingBuildTools(): string[] {
  return [
    ...(findProgram('cmake') ? [] : ['cmake (3.20 or newer)']),
    ...(cxxCommand() ? [] : ['a C++20 compiler (g++ 11 or newer)']),
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
