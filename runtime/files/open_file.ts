/** Opens and reads the files of a model: regular files alone, whole ones only up to a limit. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ModelFileError } from '../common/errors.js';

const { O_RDONLY, O_NONBLOCK } = constants;

/** undefined where there is no such file. Errors: ModelFileError for what is no readable regular file. */
export function openFile(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NONBLOCK); // opening a pipe would wait for a writer
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ModelFileError(path, 'file', `expected a readable file: ${(error as Error).message}`);
  }
  const stats = fstatSync(fd);
  if (stats.isFile()) return fd;
  closeSync(fd);
  throw new ModelFileError(path, 'file', `expected a regular file, found ${kindOf(stats)}`);
}

function kindOf(stats: ReturnType<typeof fstatSync>): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/** A file of at most `most` bytes; undefined where there is none. Errors: ModelFileError. */
export function readSmallFile(path: string, most: number): Buffer | undefined {
  const fd = openFile(path);
  if (fd === undefined) return undefined;
  try {
    const { size } = fstatSync(fd);
    if (size > most) throw new ModelFileError(path, 'file', `expected at most ${most} bytes, found ${size}`);
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
      const read = readSync(fd, bytes, at, size - at, at);
      if (read === 0) throw new ModelFileError(path, 'file', `expected ${size} bytes, found that it became shorter`);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(fd);
  }
}
