/** The files of an artifact, which may come from anybody: only ordinary ones of its own, of a sensible size, are read. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { CompileError } from '../common/errors.js';

/** Nothing that the compiler writes is nested deeper. */
const DEEPEST = 32;

/**
 * The bytes of a file; undefined where there is none. Errors: CompileError for a link out of the artifact, for what is no
 * ordinary file or larger than `most` bytes, and with what the operating system says.
 */
export function readArtifactFile(folder: string, name: string, most: number): Buffer | undefined {
  const path = join(folder, name);
  let file: number | undefined;
  try {
    requireOwn(folder, path);
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO has nobody to wait for
    const found = fstatSync(file);
    if (!found.isFile()) throw new CompileError(`${path} is not an ordinary file`);
    if (found.size > most) throw new CompileError(`${path} has ${found.size} bytes; expected at most ${most}`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof CompileError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CompileError(`cannot read ${path}: ${message}`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function requireOwn(folder: string, path: string): void {
  const real = realpathSync(path);
  if (!real.startsWith(`${realpathSync(folder)}${sep}`))
    throw new CompileError(
      `${path} is a link out of the artifact, to ${JSON.stringify(real)}; put the file itself there`,
    );
}

/**
 * Writes a file of an artifact that is there already: beside it, and renamed into place. So readers see the old content or the
 * new one, and where the name was a symbolic link, what that points to is not touched.
 */
export function replaceFile(path: string, content: string | Uint8Array): void {
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    writeFileSync(part, content, { flag: 'wx' });
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw new CompileError(`cannot write ${path}: ${(error as Error).message}`);
  }
}

/** The value of a JSON text. Errors: Error that says what is wrong, also of one that is nested too deep to be walked. */
export function parseJson(text: string): unknown {
  if (depthOf(text) > DEEPEST) throw new Error(`nested deeper than ${DEEPEST} lists and tables`);
  return JSON.parse(text);
}

const [QUOTE, BACKSLASH, OPEN, CLOSE] = ['"', '\\', '[{', ']}'] as const;

/** How deep lists and tables stand in one another. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (inString && char === BACKSLASH) i++;
    else if (char === QUOTE) inString = !inString;
    else if (!inString && OPEN.includes(char)) deepest = Math.max(deepest, ++depth);
    else if (!inString && CLOSE.includes(char)) depth--;
  }
  return deepest;
}
