/** What the CUDA driver says of the GPUs of this machine: asked by a small program of its own, built once into the cache. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageFile } from '../runtime/common/package.js';
import { cacheFolder } from '../runtime/toolchain/cache_folder.js';
import { findProgram } from '../runtime/toolchain/programs.js';
import { sharedOf } from './target/architectures.js';
import { partNamed } from './target/find_gpu.js';
import { GPUS, type Gpu } from './target/gpus.js';

/** In the driver's order, which CUDA_VISIBLE_DEVICES changes. Or why there are none. */
export type GpusHere = { readonly driver: string; readonly gpus: readonly Gpu[] } | { readonly problem: string };

/** The driver wakes up sleeping GPUs, one after the other. */
const PATIENCE_MS = 20_000;

let asked: GpusHere | undefined;

/** Asks once. */
export function gpusHere(): GpusHere {
  asked ??= askDriver();
  return asked;
}

/** Never throws: a machine that compiles needs no GPU. */
export function askDriver(): GpusHere {
  try {
    return withProgram((program) => {
      const { stdout, error, signal } = spawnSync(program, [], { encoding: 'utf8', timeout: PATIENCE_MS });
      if (error && 'code' in error && error.code === 'ETIMEDOUT')
        return { problem: `the CUDA driver has not answered in ${PATIENCE_MS / 1000} s` };
      if (error) return { problem: `cannot ask the CUDA driver: ${error.message}` };
      if (signal) return { problem: `the CUDA driver ended the program that asked it, with ${signal}` };
      return readAnswer(stdout);
    });
  } catch (error) {
    return { problem: `cannot ask the CUDA driver: ${(error as Error).message.split('\n')[0]}` };
  }
}

/** Runs the program from the cache, or from a folder of its own where the cache cannot be written. */
function withProgram<T>(run: (program: string) => T): T {
  const source = packageFile('runtime', 'driver', 'device_info.c');
  const hash = createHash('sha256').update(`${process.arch}\0`).update(readFileSync(source));
  const name = `device-info-${hash.digest('hex').slice(0, 16)}`;
  const cached = placeInCache(name);
  if (cached !== undefined && existsSync(cached)) return run(cached);
  const scratch = mkdtempSync(join(tmpdir(), 'realizar-device-info-'));
  try {
    const built = join(scratch, name);
    compile(source, built);
    return run(cached === undefined ? built : keep(built, cached));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Undefined where there is no home for a cache. */
function placeInCache(name: string): string | undefined {
  try {
    return join(cacheFolder(), name);
  } catch {
    return undefined;
  }
}

/** With a compiler for this machine: CXX may name one for another. */
function compile(source: string, built: string): void {
  const compiler = ['cc', 'gcc', 'clang'].map((name) => findProgram(name)).find((found) => found !== undefined);
  if (compiler === undefined) throw new Error('no C compiler (cc, gcc or clang) to build the program that does');
  execFileSync(compiler, ['-O1', '-o', built, source, '-ldl'], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Renames it into the cache, so that compiles side by side do no harm. Returns its path there. */
function keep(built: string, cached: string): string {
  const part = `${cached}.part-${process.pid}`;
  try {
    mkdirSync(dirname(cached), { recursive: true, mode: 0o700 });
    execFileSync('cp', [built, part]);
    renameSync(part, cached);
    return cached;
  } catch {
    return built; // a cache that cannot be written costs a tenth of a second each time
  }
}

interface Device {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly multiprocessors: number;
  readonly sharedBytes: number;
  readonly sharedPerMultiprocessor: number;
  readonly l2Bytes: number;
  readonly clockKHz: number;
  readonly memoryClockKHz: number;
  readonly memoryBusBits: number;
}

function readAnswer(answer: string): GpusHere {
  let read: { problem?: string; driver?: string; devices?: Device[] };
  try {
    read = JSON.parse(answer);
  } catch {
    return { problem: `the CUDA driver's answer is cut off: ${JSON.stringify(answer.slice(0, 80))}` };
  }
  if (read.problem !== undefined) return { problem: read.problem };
  const { driver = '', devices = [] } = read;
  const odd = devices.find(({ major, multiprocessors }) => major < 1 || multiprocessors < 1);
  if (odd) return { problem: `the CUDA driver tells nothing of ${odd.name}` };
  return { driver, gpus: devices.map(gpuOf) };
}

/** What the driver does not tell is the table's, or what its architecture has. */
function gpuOf(device: Device): Gpu {
  const { name, multiprocessors } = device;
  const capability = `${device.major}.${device.minor}`;
  const known = tableOf(device, capability);
  const shared = sharedOf(capability) * 1024;
  return {
    name,
    capability,
    multiprocessors,
    sharedBytes: device.sharedBytes || shared - 1024,
    sharedPerMultiprocessor: device.sharedPerMultiprocessor || shared,
    l2Bytes: device.l2Bytes || (known?.l2Bytes ?? 4 * 2 ** 20),
    bandwidth: bandwidthOf(device, known),
    clock: device.clockKHz * 1e3 || (known?.clock ?? 1.5e9),
  };
}

/** Of all Jetson Orins the driver says "Orin": their number of multiprocessors tells them apart. */
function tableOf({ name, multiprocessors }: Device, capability: string): Gpu | undefined {
  const named = partNamed(name);
  if (named?.capability !== capability || named.multiprocessors === multiprocessors) return named;
  return GPUS.find((part) => part.capability === capability && part.multiprocessors === multiprocessors) ?? named;
}

/** Both edges of the memory's clock carry data. Of memory that is the processor's as well the driver tells 0 or nonsense. */
function bandwidthOf(
  { memoryClockKHz, memoryBusBits, multiprocessors, major }: Device,
  known: Gpu | undefined,
): number {
  const told = (2 * memoryClockKHz * 1e3 * memoryBusBits) / 8;
  if (known && told < known.bandwidth / 2) return known.bandwidth;
  // What a multiprocessor of a small recent part has: better than none.
  return told || multiprocessors * (major >= 9 ? 12e9 : 10e9);
}
