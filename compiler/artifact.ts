/** An artifact folder: what is beside its files, and how it is replaced as a whole. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { replaceFile } from '../runtime/artifact_folder/artifact_file.js';
import { namesOfArtifact } from '../runtime/artifact_folder/damages.js';
import { FILES } from '../runtime/artifact_folder/names.js';
import { CompileError, UsageError } from '../runtime/common/errors.js';
import { makeFolder } from '../runtime/toolchain/make_folder.js';
import type { EmittedFiles } from './emit/render.js';

/**
 * Notes where the model file is, for programs that load the artifact on this machine. It is no part of what was compiled: the
 * manifest does not name it, and nothing is wrong where it is missing.
 */
export function writeModelPath(folder: string, model: string): void {
  const content = `${JSON.stringify({ model: resolve(model) }, null, 2)}\n`;
  const path = join(folder, FILES.modelPath);
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() && readFileSync(path, 'utf8') === content) return;
  replaceFile(path, content);
}

/** Left by a compile that was killed. */
const ABANDONED_MS = 24 * 3600 * 1000;
/**
 * A new artifact is made in a hidden folder and takes the old one's place only when it is complete, so that a failed or
 * interrupted compile leaves what was there. The hidden folder is beside the old one, which is renamed; or in it, where that
 * cannot be, and its files are.
 */
export class ArtifactWriter {
  readonly folder: string;
  readonly #target: string;
  readonly #isInside: boolean;

  constructor(target: string) {
    this.#target = realPath(target);
    try {
      refuseForeignFolder(this.#target);
      this.#isInside = existsSync(this.#target) && !canBeRenamed(this.#target);
      const parent = this.#isInside ? this.#target : dirname(this.#target);
      const prefix = `.${basename(this.#target)}.building-`;
      makeFolder(parent);
      removeAbandoned(parent, prefix);
      this.folder = mkdtempSync(join(parent, prefix));
      chmodSync(this.folder, 0o777 & ~process.umask()); // mkdtemp makes it private
    } catch (error) {
      if (error instanceof CompileError) throw error;
      throw new CompileError(`cannot write ${target}: ${(error as Error).message}; choose another folder with -o`);
    }
  }

  write(files: EmittedFiles): void {
    for (const [name, content] of files) writeFileSync(join(this.folder, name), content);
  }

  /** Errors: what the operating system says, and CompileError where a file of the user is in the way; all is as it was then. */
  commit(): void {
    if (!existsSync(this.#target)) {
      renameSync(this.folder, this.#target);
      return;
    }
    const old = `${this.folder}.old`;
    const owned = namesOfArtifact(this.#target) ?? new Set();
    const made = readdirSync(this.folder);
    const there = readdirSync(this.#target).filter((name) => !this.#isOwnFolder(name));
    const clash = there.find((name) => made.includes(name) && !owned.has(name));
    if (clash !== undefined)
      throw new CompileError(
        `${join(this.#target, clash)} is not of the artifact there and would be overwritten; move it away`,
      );
    if (this.#isInside)
      this.#moveIn(
        there.filter((name) => owned.has(name)),
        made,
        old,
      );
    else
      this.#takePlace(
        there.filter((name) => !owned.has(name)),
        old,
      );
  }

  #isOwnFolder(name: string): boolean {
    return this.#isInside && name === basename(this.folder);
  }

  #takePlace(foreign: readonly string[], old: string): void {
    const renames = new Renames();
    renames.all([
      [this.#target, old],
      [this.folder, this.#target],
      ...foreign.map((name) => [join(old, name), join(this.#target, name)] as const),
    ]);
    rmSync(old, { recursive: true, force: true });
  }

  #moveIn(owned: readonly string[], made: readonly string[], old: string): void {
    mkdirSync(old);
    try {
      new Renames().all([
        ...owned.map((name) => [join(this.#target, name), join(old, name)] as const),
        ...made.map((name) => [join(this.folder, name), join(this.#target, name)] as const),
      ]);
    } catch (error) {
      if (readdirSync(old).length === 0) rmSync(old, { recursive: true });
      throw error;
    }
    rmSync(old, { recursive: true, force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }

  discard(): void {
    // A compiler that is about to die may still write.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Renames one after the other; where one fails, those before it are taken back. */
class Renames {
  readonly #done: (readonly [from: string, to: string])[] = [];

  all(pairs: readonly (readonly [from: string, to: string])[]): void {
    try {
      for (const [from, to] of pairs) {
        renameSync(from, to);
        this.#done.push([from, to]);
      }
    } catch (error) {
      for (const [from, to] of this.#done.reverse()) renameSync(to, from);
      throw error;
    }
  }
}

/** Where the folder really is: a link to it stays one. */
function realPath(target: string): string {
  if (target === '') throw new UsageError('-o names no folder');
  const path = resolve(target);
  if (existsSync(path)) return realpathSync(path);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new CompileError(`${target} is a link to what is not there; choose another folder with -o`);
  return path;
}

/** Only a folder of our own is replaced. */
function refuseForeignFolder(target: string): void {
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) throw new CompileError(`${target} is not a folder; choose another with -o`);
  if (readdirSync(target).length === 0 || namesOfArtifact(target) !== undefined) return;
  throw new CompileError(
    `${target} exists and is not an artifact of realizar-compile; remove it or choose another folder with -o`,
  );
}

/** Neither a mount point nor the working directory of a process, and in a folder that we may write. */
function canBeRenamed(target: string): boolean {
  const parent = statSync(dirname(target));
  const own = statSync(target);
  if (own.dev !== parent.dev || mountPoints().includes(target)) return false;
  const here = relative(target, process.cwd());
  if (here === '' || !(here.startsWith('..') || here.startsWith('/'))) return false;
  const user = process.getuid?.() ?? 0;
  const isSticky = (parent.mode & 0o1000) !== 0;
  if (isSticky && user !== 0 && user !== own.uid && user !== parent.uid) return false;
  try {
    accessSync(dirname(target), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Of this process; a folder of the same file system may be one, as in a container. */
function mountPoints(): string[] {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const decoded = (path: string) =>
      path.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    return lines.flatMap((line) => line.split(' ')[4] ?? []).map(decoded);
  } catch {
    return []; // not Linux
  }
}

function removeAbandoned(parent: string, prefix: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix) || name.endsWith('.old')) continue;
    const { mtimeMs = Date.now() } = statSync(join(parent, name), { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > ABANDONED_MS) rmSync(join(parent, name), { recursive: true, force: true });
  }
}
