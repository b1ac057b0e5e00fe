import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * With its parents. Node's own way tries without end where a file system lets nobody make a folder and says that there is none,
 * as automounted homes do. Throws what the file system says.
 */
export function makeFolder(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(path);
    if (code === 'ENOENT' && !existsSync(parent)) {
      makeFolder(parent, mode);
      makeFolder(path, mode);
    } else if (code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}
