/**
 * Prints the options of realizar-compile for the machine at hand, and on stderr why they are these:
 * `--target cuda --arch sm_90` where there is nvcc and a GPU that it can compile for, else `--target host`.
 */
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CompileError } from '../compiler/errors.js';
import { cudaTarget } from '../compiler/plan/target.js';
import { findCuda } from '../compiler/toolchain.js';

export interface MachineOptions {
  readonly options: readonly string[];
  readonly why: string;
}

export function optionsForThisMachine(): MachineOptions {
  const nvcc = findCuda()?.nvcc;
  const gpu = firstGpu();
  if (gpu !== undefined && nvcc !== undefined && isSupported(gpu))
    return { options: ['--target', 'cuda', '--arch', gpu], why: `target cuda: nvcc and a GPU (${gpu}) are here` };
  const missing = gpu === undefined ? noGpu(nvcc) : noUseOf(gpu, nvcc);
  return {
    options: ['--target', 'host'],
    why: `target host: ${missing}; the simulator runs the same kernels on the CPU, to check them and not to be fast`,
  };
}

const noGpu = (nvcc: string | undefined) => (nvcc ? 'nvcc is here, but no GPU' : 'no GPU and no nvcc here');
const noUseOf = (gpu: string, nvcc: string | undefined) =>
  nvcc ? `the GPU is ${gpu}, which is not supported` : `there is a GPU (${gpu}), but no nvcc to compile for it`;

/** "sm_90" of the first GPU; undefined where there is no driver or it sees none. */
function firstGpu(): string | undefined {
  try {
    const query = ['--query-gpu=compute_cap', '--format=csv,noheader'];
    const answer = execFileSync('nvidia-smi', query, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const capability = /^(\d+)\.(\d+)$/m.exec(answer);
    return capability ? `sm_${capability[1]}${capability[2]}` : undefined;
  } catch {
    return undefined;
  }
}

function isSupported(arch: string): boolean {
  try {
    cudaTarget([arch]);
    return true;
  } catch (error) {
    if (error instanceof CompileError) return false;
    throw error;
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { options, why } = optionsForThisMachine();
  console.error(why);
  process.stdout.write(`${options.join(' ')}\n`);
}
