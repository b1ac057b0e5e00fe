/** Emitted source -> library and replay program, with cmake; the part that no model changes comes from a cache. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUNTIME_DIR } from '../runtime/common/package.js';
import { cacheFolder, notWritable } from '../runtime/toolchain/cache_folder.js';
import { buildWithCmake } from '../runtime/toolchain/cmake.js';
import type { Cuda } from '../runtime/toolchain/programs.js';
import { inScratch } from '../runtime/toolchain/scratch.js';
import { RuntimeCache, runtimeKey } from './runtime_cache.js';

export interface BuildOptions {
  /** Folder of the emitted source. */
  readonly source: string;
  /** Files of the build that are wanted, and the folder that they go to. */
  readonly products: readonly string[];
  readonly into: string;
  readonly target: 'cuda' | 'host';
  readonly sanitize: boolean;
  readonly cuda?: Cuda | undefined;
  /** false: compile everything, and keep nothing. */
  readonly cache: boolean;
  readonly detail: (text: string) => void;
  /** Ends the build. */
  readonly interrupted: AbortSignal;
}

/** Returns where the runtime came from, for the reader of the progress. Errors: BuildError with the compiler's own words. */
export function build(options: BuildOptions): Promise<string> {
  return inScratch({ source: options.source, runtime: RUNTIME_DIR }, (scratch) => buildIn(scratch, options));
}

async function buildIn(scratch: string, options: BuildOptions): Promise<string> {
  const { target, sanitize, cuda, detail, interrupted } = options;
  const archives = join(scratch, 'build', 'runtime'); // where cmake puts them if it has to make them
  const key = options.cache ? runtimeKey({ target, sanitize, toolkit: cuda?.toolkit }) : undefined;
  const restored = key !== undefined && restore(key, archives);
  const settings = {
    REALIZAR_RUNTIME: join(scratch, 'runtime'),
    REALIZAR_SANITIZE: sanitize ? 'ON' : 'OFF',
    ...(cuda && { NVCC: [cuda.nvcc, ...cuda.arguments].join(';') }),
    ...(restored && { REALIZAR_PREBUILT: archives }),
  };
  detail('configuring');
  const onLine = (line: string) => {
    const step = /^\[([^\]]+)\] (?:Building|Linking|Generating) (.*)$/.exec(line);
    if (step) detail(`[${step[1]!.trim()}] ${step[2]!.split('/').at(-1)!.replace(/\.o$/, '')}`);
  };
  const folder = await buildWithCmake({ scratch, source: 'source', settings, interrupted, onLine });
  for (const name of options.products) copyFileSync(join(folder, 'out', name), join(options.into, name));
  return restored ? 'runtime as compiled before' : store(key, archives);
}

function restore(key: string, archives: string): boolean {
  try {
    return new RuntimeCache(cacheFolder()).restore(key, archives);
  } catch {
    return false; // there is no cache: store() says so
  }
}

/** A cache that cannot be written costs the next compile time and this one nothing; the reader of the progress is told. */
function store(key: string | undefined, archives: string): string {
  if (key === undefined) return 'runtime compiled';
  try {
    const folder = cacheFolder();
    try {
      new RuntimeCache(folder).store(key, archives);
    } catch (error) {
      throw notWritable(folder, error);
    }
    return 'runtime compiled';
  } catch (error) {
    return `runtime compiled, and not kept: ${(error as Error).message}`;
  }
}
