/** Where this user's cache is: the compiled runtime and the Node addon. docs/artifact.md says it too. */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { CompileError } from '../common/errors.js';
import { makeFolder } from './make_folder.js';

const WHAT_TO_SET = 'set REALIZAR_CACHE_DIR to a folder that can be written';

/** An absolute path; whether it is there, or can be made, shows when it is used. Errors: CompileError where no home is known. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.REALIZAR_CACHE_DIR) return resolve(env.REALIZAR_CACHE_DIR);
  const caches = absolute(env.XDG_CACHE_HOME); // relative ones are to be ignored, says its specification
  if (caches !== undefined) return join(caches, 'realizar-compile');
  const home = absolute(env.HOME) ?? absolute(homeOfUser());
  if (home !== undefined) return join(home, '.cache', 'realizar-compile');
  throw new CompileError(`no folder for the cache: HOME is not set, and this user has no home; ${WHAT_TO_SET}`);
}

/** Makes sure of the folder before anything is made that belongs in it. Errors: CompileError that names it. */
export function requireWritable(folder: string): void {
  try {
    makeFolder(folder, 0o700);
    rmdirSync(mkdtempSync(join(folder, '.part-')));
  } catch (error) {
    throw notWritable(folder, error);
  }
}

export const notWritable = (folder: string, error: unknown): CompileError =>
  new CompileError(`the cache folder ${folder} cannot be written (${(error as Error).message}); ${WHAT_TO_SET}`);

const absolute = (path: string | undefined): string | undefined =>
  path !== undefined && isAbsolute(path) ? path : undefined;

/** In the system's list of users; a container's may not be there. */
function homeOfUser(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    return undefined;
  }
}
