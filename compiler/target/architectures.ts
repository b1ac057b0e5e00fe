/** The GPU architectures that machine code is made for, by nvcc's names. */
import { UsageError } from '../../runtime/common/errors.js';

interface Architecture {
  readonly capability: string;
  /** The first CUDA toolkit whose nvcc knows it; a driver for the GPU is at least as new. */
  readonly toolkit: string;
  /** Of its parts the largest, which plans are made for where nobody says which one is meant (gpus.ts). */
  readonly largest: string;
  /** Multiprocessors of its smallest part, or of the smallest slice of one: blocks that wait for each other are no more. */
  readonly fewest: number;
}

/** fewest: a seventh of an A100 has 14, an RTX A400 6, an Orin Nano 4, an RTX 500 Ada 16, a seventh of an H100 16, a Jetson T4000 12, an RTX PRO 500 14. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  sm_80: { capability: '8.0', toolkit: '11.0', largest: 'A100 80GB SXM', fewest: 14 },
  sm_86: { capability: '8.6', toolkit: '11.1', largest: 'RTX 3090 Ti', fewest: 6 },
  sm_87: { capability: '8.7', toolkit: '11.4', largest: 'Jetson AGX Orin 64GB', fewest: 4 },
  sm_88: { capability: '8.8', toolkit: '13.0', largest: 'Jetson AGX Orin 64GB', fewest: 4 },
  sm_89: { capability: '8.9', toolkit: '11.8', largest: 'RTX 4090', fewest: 16 },
  sm_90: { capability: '9.0', toolkit: '11.8', largest: 'H100 SXM', fewest: 16 },
  sm_90a: { capability: '9.0', toolkit: '12.0', largest: 'H100 SXM', fewest: 16 },
  sm_100: { capability: '10.0', toolkit: '12.8', largest: 'B200', fewest: 16 },
  sm_100a: { capability: '10.0', toolkit: '12.8', largest: 'B200', fewest: 16 },
  sm_103: { capability: '10.3', toolkit: '12.9', largest: 'B300', fewest: 16 },
  sm_103a: { capability: '10.3', toolkit: '12.9', largest: 'B300', fewest: 16 },
  sm_110: { capability: '11.0', toolkit: '13.0', largest: 'Jetson AGX Thor T5000', fewest: 12 },
  sm_110a: { capability: '11.0', toolkit: '13.0', largest: 'Jetson AGX Thor T5000', fewest: 12 },
  sm_120: { capability: '12.0', toolkit: '12.8', largest: 'RTX 5090', fewest: 14 },
  sm_120a: { capability: '12.0', toolkit: '12.8', largest: 'RTX 5090', fewest: 14 },
  sm_121: { capability: '12.1', toolkit: '12.9', largest: 'DGX Spark', fewest: 48 },
  sm_121a: { capability: '12.1', toolkit: '12.9', largest: 'DGX Spark', fewest: 48 },
};

export const DEFAULT_ARCH = 'sm_90a';

export const ARCH_NAMES: readonly string[] = Object.keys(ARCHITECTURES);

/** Errors: UsageError for a name that is none of ARCH_NAMES. */
export function architecture(name: string): Architecture {
  const known = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (known) return known;
  const [, major, minor] = /^sm_([2-7])(\d)$/.exec(name) ?? [];
  const lacks = major === undefined ? '' : ` (${whyNot(`${major}.${minor}`)})`;
  throw new UsageError(`unknown GPU architecture ${JSON.stringify(name)}${lacks}; known are ${ARCH_NAMES.join(', ')}`);
}

/** "12.8" before "13.0". */
export const isOlder = (version: string, than: string): boolean => numberOf(version) < numberOf(than);
const numberOf = (version: string): number => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
};

/** Shared memory of a multiprocessor, KiB; a block may have one less. From the CUDA programming guide's table of compute capabilities. */
export function sharedOf(capability: string): number {
  if (capability === '8.0' || capability === '8.7') return 164;
  return ['9', '10', '11'].includes(capability.split('.')[0]!) ? 228 : 100;
}

/** Of Jetsons and their like: NVIDIA promises that their code, and code for others, runs nowhere else. */
const APART = ['8.7', '8.8', '11.0'];

/**
 * The architecture to compile for, for a GPU of this compute capability: its own, or where nvcc is older than it, the newest one
 * that runs there as well. undefined where there is none.
 */
export function archFor(capability: string, toolkit?: string): string | undefined {
  const runs = ARCH_NAMES.filter((name) => {
    const { capability: its, toolkit: since } = ARCHITECTURES[name]!;
    const isOwn = its === capability;
    return (
      (isOwn || runsOnLater(its, capability)) && (toolkit === undefined || !isOlder(toolkit, since)) && isChosen(name)
    );
  });
  return runs.toSorted((a, b) => numberOf(ARCHITECTURES[b]!.capability) - numberOf(ARCHITECTURES[a]!.capability))[0];
}

/** Of names with and without "a" the plain one, which runs on later parts, but for Hopper: nothing else has the number 9. */
const isChosen = (name: string): boolean => name === 'sm_90a' || (name !== 'sm_90' && !name.endsWith('a'));

const runsOnLater = (its: string, capability: string): boolean =>
  its.split('.')[0] === capability.split('.')[0] &&
  numberOf(its) < numberOf(capability) &&
  !APART.includes(its) &&
  !APART.includes(capability);

/** Does one of these architectures' code run on a GPU of this compute capability? As runtime/device.cpp has it. */
export const runsOn = (archs: readonly string[], capability: string): boolean =>
  archs.some((name) => {
    const its = architecture(name).capability;
    return its === capability || (!name.endsWith('a') && runsOnLater(its, capability));
  });

/** Why there is no architecture for a compute capability, for a message. */
export function whyNot(capability: string): string {
  if (isOlder(capability, '8.0'))
    return `compute capability ${capability} lacks asynchronous copies to shared memory (cp.async) and bf16 arithmetic, which the kernels use: 8.0 (Ampere) or newer is needed`;
  return `compute capability ${capability} is not known to this version of realizar-compile: a newer one may know it`;
}
