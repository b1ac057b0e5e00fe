/** A temporary folder to build in, whose path every tool takes, wherever the package and the output are. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BuildError } from '../common/errors.js';
import { fullDisk } from './full_disk.js';

/** To CMake, its lists, make, Ninja, or the shell that they call, these mean something else. */
const FOREIGN = /[^\p{L}\p{N} ._+@%~/-]/u;

const ANOTHER = 'set TMPDIR to another folder';

/**
 * Makes the folder, with links to the folders that are to be read under plain names, and removes it when `use` has ended.
 * Tools that are given these names never see what a path has in it. Errors: BuildError where there can be no such folder.
 */
export async function inScratch<T>(
  links: Readonly<Record<string, string>>,
  use: (scratch: string) => Promise<T>,
): Promise<T> {
  const scratch = makeScratch();
  try {
    for (const [name, target] of Object.entries(links)) symlinkSync(resolve(target), join(scratch, name));
    return await use(scratch);
  } finally {
    // A compiler that is about to die may still write.
    rmSync(scratch, { recursive: true, force: true, maxRetries: 10 });
  }
}

function makeScratch(): string {
  const parent = resolve(tmpdir());
  const odd = FOREIGN.exec(parent)?.[0];
  if (odd !== undefined)
    throw new BuildError(
      `the temporary folder ${JSON.stringify(parent)} has a ${JSON.stringify(odd)} in it, which cmake cannot build with; ${ANOTHER}`,
    );
  try {
    return mkdtempSync(join(parent, 'realizar-build-'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw fullDisk(parent, ANOTHER);
    throw new BuildError(`the temporary folder ${parent} cannot be written (${message}); ${ANOTHER}`);
  }
}
