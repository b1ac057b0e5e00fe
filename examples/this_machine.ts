/**
 * Prints the options of realizar-compile for the machine at hand, and on stderr why they are these:
 * `--target cuda` where there is nvcc and a GPU that it can compile for, else `--target host`.
 */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gpusHere } from '../compiler/gpus_here.js';
import { archFor } from '../compiler/target/architectures.js';
import { findCuda } from '../runtime/toolchain/programs.js';

export interface MachineOptions {
  readonly options: readonly string[];
  readonly why: string;
}

export function optionsForThisMachine(here = gpusHere()): MachineOptions {
  const cuda = findCuda();
  const gpu = 'problem' in here ? undefined : here.gpus[0];
  const arch = gpu && archFor(gpu.capability, cuda?.toolkit);
  if (arch !== undefined && cuda !== undefined)
    return { options: ['--target', 'cuda'], why: `target cuda: nvcc and a GPU (${gpu!.name}, ${arch}) are here` };
  const missing = gpu === undefined ? noGpu(cuda?.nvcc) : noUseOf(gpu.name, cuda?.nvcc);
  return {
    options: ['--target', 'host'],
    why: `target host: ${missing}; the simulator runs the same kernels on the CPU, to check them and not to be fast`,
  };
}

const noGpu = (nvcc: string | undefined) => (nvcc ? 'nvcc is here, but no GPU' : 'no GPU and no nvcc here');
const noUseOf = (gpu: string, nvcc: string | undefined) =>
  nvcc ? `the GPU is ${gpu}, which is not supported` : `there is a GPU (${gpu}), but no nvcc to compile for it`;

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { options, why } = optionsForThisMachine();
  console.error(why);
  process.stdout.write(`${options.join(' ')}\n`);
}
