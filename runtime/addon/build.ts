/**
 * Builds the addon of an installed package, at its first use: an installation runs no scripts, and a package may not be
 * writable. So the binary goes into the user's cache. Nothing is downloaded.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CompileError } from '../common/errors.js';
import { interruptible } from '../common/interrupt.js';
import { cacheFolder, requireWritable } from '../toolchain/cache_folder.js';
import { buildWithCmake } from '../toolchain/cmake.js';
import { namingFullDisk } from '../toolchain/full_disk.js';
import { missingBuildTools } from '../toolchain/programs.js';
import { inScratch } from '../toolchain/scratch.js';
import { failure } from './errors.js';

const BINARY = join('Release', 'realizar.node');

/** Builds it from the package's sources to `binary`. Rejects with NOT_BUILT: a tool, or a place for it, is missing, or a tool failed. */
export async function buildAddon(root: string, binary: string): Promise<void> {
  const cache = dirname(dirname(dirname(binary)));
  try {
    const missing = missingBuildTools();
    if (missing.length > 0)
      throw new CompileError(
        `${missing.join(' and ')} not found: install it, or copy ${binary} from a machine like this one`,
      );
    requireWritable(cache);
    await interruptible((interrupted) => compileTo(root, binary, interrupted));
  } catch (error) {
    throw notBuilt(namingFullDisk(error, cache, 'set REALIZAR_CACHE_DIR to another folder'));
  }
}

const notBuilt = (error: unknown): unknown =>
  error instanceof CompileError
    ? failure('NOT_BUILT', `the Node addon has to be built first, and ${error.message}`)
    : error;

function compileTo(root: string, binary: string, interrupted: AbortSignal): Promise<void> {
  const { resolve } = createRequire(import.meta.url);
  const links = {
    runtime: join(root, 'runtime'),
    'node-api-headers': join(dirname(resolve('node-api-headers/package.json')), 'include'),
    'node-addon-api': dirname(resolve('node-addon-api/package.json')),
  };
  return inScratch(links, async (scratch) => {
    const settings = {
      NODE_API_HEADERS: join(scratch, 'node-api-headers'),
      NODE_ADDON_API: join(scratch, 'node-addon-api'),
    };
    place(join(await buildWithCmake({ scratch, source: 'runtime/addon', settings, interrupted }), BINARY), binary);
  });
}

/** As a whole, whoever else does the same at this time. */
function place(built: string, binary: string): void {
  mkdirSync(dirname(binary), { recursive: true, mode: 0o700 });
  const part = `${binary}.part-${process.pid}`;
  copyFileSync(built, part);
  renameSync(part, binary);
}

/** Where the user's cache has it, or would: named by what it is built from and for. Throws NOT_BUILT where no home is known. */
export function cachedBinary(root: string): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\0`);
  const addon = join(root, 'runtime', 'addon');
  const sources = readdirSync(addon).filter((name) => /\.(cpp|h|txt)$/.test(name));
  for (const path of [...sources.sort().map((name) => join(addon, name)), join(root, 'runtime', 'realizar.h')])
    hash.update(readFileSync(path)).update('\0');
  return join(cacheOfUser(), `addon-${hash.digest('hex').slice(0, 32)}`, BINARY);
}

function cacheOfUser(): string {
  try {
    return cacheFolder();
  } catch (error) {
    throw notBuilt(error);
  }
}
