/** Which GPU to plan for and which machine code to make: as --gpu and --arch say, or else for the GPU that is here. */
import { CompileError, UsageError } from '../runtime/common/errors.js';
import { type GpusHere, gpusHere } from './gpus_here.js';
import { archFor, architecture, DEFAULT_ARCH, isOlder, runsOn, whyNot } from './target/architectures.js';
import { findGpu } from './target/find_gpu.js';
import type { Gpu } from './target/gpus.js';
import { largestOf } from './target/target.js';
import { LEAST_API } from './toolkit.js';

export interface GpuChoice {
  readonly archs: readonly string[];
  readonly gpu: Gpu;
  /** For the reader: what was chosen, and why. */
  readonly said: string;
}

export interface GpuFlags {
  readonly arch?: readonly string[] | undefined;
  readonly gpu?: string | undefined;
}

/** `toolkit`: of the nvcc here, if there is one. Errors: UsageError, or CompileError where nvcc is too old for --gpu. */
export function chooseGpu({ arch, gpu: name }: GpuFlags, toolkit: string | undefined, here = gpusHere): GpuChoice {
  if (name !== undefined) {
    const gpu = findGpu(name);
    const archs = arch ?? [archOf(gpu, toolkit)];
    if (!runsOn(archs, gpu.capability))
      throw new UsageError(
        `--gpu ${gpu.name} has compute capability ${gpu.capability}, and code for ${archs.join(',')} does not run there: leave out --arch, or add ${archFor(gpu.capability)}`,
      );
    return { archs, gpu, said: `${gpu.name}: ${describe(archs, gpu)}` };
  }
  if (arch !== undefined) {
    const gpu = largestOf(arch);
    return {
      archs: arch,
      gpu,
      said: `${arch.join(',')}, planned for its largest part: ${gpu.name}, ${describe([], gpu)}`,
    };
  }
  return chooseHere(here(), toolkit);
}

function archOf({ name, capability }: Gpu, toolkit: string | undefined): string {
  const arch = archFor(capability, toolkit);
  if (arch !== undefined) return arch;
  const needed = archFor(capability);
  throw new CompileError(
    needed === undefined
      ? `${name}: ${whyNot(capability)}`
      : `${name} needs ${needed}, which nvcc knows from CUDA ${architecture(needed).toolkit} on; the one here is of CUDA ${toolkit}`,
  );
}

function chooseHere(here: GpusHere, toolkit: string | undefined): GpuChoice {
  if ('problem' in here) return otherwise(`no GPU found here (${here.problem})`);
  const [gpu, ...others] = here.gpus as [Gpu, ...Gpu[]];
  let arch: string;
  try {
    arch = archOf(gpu, toolkit);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return otherwise(`not for the GPU here: ${error.message}`);
  }
  const said = [`${gpu.name}: ${describe([arch], gpu)}`, ...among(gpu, others), ...oldDriver(here.driver)];
  return { archs: [arch], gpu, said: said.join('; ') };
}

function otherwise(why: string): GpuChoice {
  const archs = [DEFAULT_ARCH];
  const gpu = largestOf(archs);
  return { archs, gpu, said: `${gpu.name}: ${describe(archs, gpu)}; ${why}` };
}

function among(gpu: Gpu, others: readonly Gpu[]): string[] {
  if (others.length === 0) return [];
  const isLike = (other: Gpu) => other.name === gpu.name && other.multiprocessors === gpu.multiprocessors;
  const names = new Set(others.filter((other) => !isLike(other)).map(({ name }) => name));
  if (names.size === 0) return [`the first of ${others.length + 1} alike`];
  return [
    `the first of ${others.length + 1}, others are ${[...names].join(', ')} (CUDA_VISIBLE_DEVICES or --gpu names another)`,
  ];
}

const oldDriver = (driver: string): string[] =>
  isOlder(driver, LEAST_API) ? [`its driver is of CUDA ${driver}, and running needs ${LEAST_API} or newer`] : [];

function describe(archs: readonly string[], { multiprocessors, sharedBytes, l2Bytes, bandwidth }: Gpu): string {
  const mib = (bytes: number) => `${Number((bytes / 2 ** 20).toPrecision(3))} MiB`;
  const gigabytes = bandwidth / 1e9;
  const rate = gigabytes < 1000 ? `${Math.round(gigabytes)} GB/s` : `${(gigabytes / 1000).toFixed(2)} TB/s`;
  return [
    ...(archs.length > 0 ? [archs.join(',')] : []),
    `${multiprocessors} multiprocessors`,
    `${Math.floor(sharedBytes / 1024)} KiB shared memory a block`,
    `${mib(l2Bytes)} L2`,
    rate,
  ].join(', ');
}
