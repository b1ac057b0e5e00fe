/** Recognises a full disk: by error codes, by what a program says, or by the space that is left. */
import { statfsSync } from 'node:fs';
import { CompileError } from '../common/errors.js';

const FULL = /No space left on device|Disk quota exceeded/i;
/** With less than this no compiler writes its output. */
const LEAST_BYTES = 1 << 20;

const isFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');

/** The error that a user is meant to read where a disk is full, with the place and what to do; any other as it is. */
export const namingFullDisk = (error: unknown, place: string, remedy: string): unknown =>
  isFull(error) ? fullDisk(place, remedy) : error;

export const fullDisk = (place: string, remedy: string): CompileError =>
  new CompileError(`no space left on the disk of ${place}; make room there, or ${remedy}`);

/** After a program failed: did it say that the disk is full, or is it? Some programs do not say. */
export function ranOutOfDisk(folder: string, output: string): boolean {
  if (FULL.test(output)) return true;
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < LEAST_BYTES;
  } catch {
    return false; // a file system that does not tell
  }
}
