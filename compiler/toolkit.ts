/** Versions of the CUDA toolkit and of drivers that go with architectures. */
import { BuildError } from '../runtime/common/errors.js';
import type { Cuda } from '../runtime/toolchain/programs.js';
import { architecture, isOlder } from './target/architectures.js';

/** CUDA with edge data in graphs, which building and running need; runtime/driver/cuda.cpp asks for the same. */
export const LEAST_API = '12.3';

/** Errors: BuildError where nvcc is too old, for everything or for an architecture. */
export function requireToolkit({ nvcc, toolkit }: Cuda, archs: readonly string[]): void {
  const update = 'install a newer CUDA toolkit (CUDA_HOME says where)';
  if (isOlder(toolkit, LEAST_API))
    throw new BuildError(`${nvcc} is of CUDA ${toolkit}; ${LEAST_API} or newer is needed: ${update}`);
  for (const arch of archs) {
    const since = architecture(arch).toolkit;
    if (isOlder(toolkit, since))
      throw new BuildError(
        `${arch} needs CUDA ${since} or newer, and ${nvcc} is of CUDA ${toolkit}: ${update}, or name another architecture with --arch`,
      );
  }
}

/**
 * CUDA version of the oldest driver that loads some of the machine code that a toolkit makes for architectures: of the
 * toolkit's major version, and one that knows a GPU that runs it.
 */
export function leastDriver(toolkit: string, archs: readonly string[]): string {
  const newer = (a: string, b: string) => (isOlder(a, b) ? b : a);
  // A damaged manifest may name a toolkit and no architecture.
  const [first, ...rest] = archs.map((arch) => architecture(arch).toolkit);
  const oldest = first === undefined ? [] : [rest.reduce((a, b) => (isOlder(b, a) ? b : a), first)];
  return [`${toolkit.split('.')[0]}.0`, LEAST_API, ...oldest].reduce(newer);
}
