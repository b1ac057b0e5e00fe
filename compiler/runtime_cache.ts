/**
 * Keeps the compiled runtime, which is the same for every model, between compiles. Entries are folders that appear and
 * go as a whole, and are copied out only as their hashes say they went in: compiles may share the cache, and one that
 * finds none, or a damaged one, compiles the runtime again. docs/artifact.md says where it is.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { packageFile, RUNTIME_DIR, runtimeSources, VERSION } from '../runtime/common/package.js';
import { makeFolder } from '../runtime/toolchain/make_folder.js';
import { cxxCommand } from '../runtime/toolchain/programs.js';

const ARCHIVES = ['librealizar_runtime.a', 'librealizar_replay.a'];
const SUMS = 'sha256.json';
/** An entry for each target, each compiler, and some history. */
const ENTRIES_KEPT = 12;
const ABANDONED_MS = 24 * 3600 * 1000;

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** Changes with everything that the archives depend on; undefined where the C++ compiler does not say what it is. */
export function runtimeKey(settings: object): string | undefined {
  const compiler = describeCompiler();
  if (compiler === undefined) return undefined;
  const { CXXFLAGS, CPPFLAGS, CPATH, CPLUS_INCLUDE_PATH } = process.env;
  const environment = { CXXFLAGS, CPPFLAGS, CPATH, CPLUS_INCLUDE_PATH };
  const hash = createHash('sha256').update(JSON.stringify({ VERSION, settings, compiler, environment }));
  hash.update(readFileSync(packageFile('templates/CMakeLists.txt.hbs'))); // the flags
  for (const name of runtimeSources().filter((name) => !name.startsWith('kernels')))
    hash.update(`${name}\0`).update(readFileSync(join(RUNTIME_DIR, name)));
  return hash.digest('hex').slice(0, 32);
}

/** The compiler that cmake takes, in its own words. */
function describeCompiler(): string | undefined {
  try {
    const command = cxxCommand();
    if (command === undefined) return undefined;
    const ask = (flag: string) =>
      execFileSync(command.program, [...command.arguments, flag], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    return [command.program, ...command.arguments, ask('--version'), ask('-dumpmachine')].join('\n');
  } catch {
    return undefined; // cmake will say what is wrong with it
  }
}

export class RuntimeCache {
  constructor(private readonly folder: string) {}

  /** Copies an entry's archives into a folder; false if it is not there, or not as it was stored. */
  restore(key: string, into: string): boolean {
    const entry = join(this.folder, key);
    try {
      const sums = JSON.parse(readFileSync(join(entry, SUMS), 'utf8'));
      const contents = ARCHIVES.map((name) => readFileSync(join(entry, name)));
      if (!ARCHIVES.every((name, i) => sums[name] === sha256(contents[i]!))) return false;
      mkdirSync(into, { recursive: true });
      for (const [i, name] of ARCHIVES.entries()) writeFileSync(join(into, name), contents[i]!);
    } catch {
      return false; // whatever is wrong with it, the runtime is compiled again
    }
    try {
      utimesSync(entry, new Date(), new Date());
    } catch {
      // a cache that this user may only read
    }
    return true;
  }

  /** Takes the archives of a folder in, in the place of an entry that could not be restored. Throws what the file system says. */
  store(key: string, from: string): void {
    makeFolder(this.folder, 0o700);
    const part = mkdtempSync(join(this.folder, '.part-'));
    try {
      for (const name of ARCHIVES) cpSync(join(from, name), join(part, name));
      const sums = ARCHIVES.map((name) => [name, sha256(readFileSync(join(part, name)))]);
      writeFileSync(join(part, SUMS), `${JSON.stringify(Object.fromEntries(sums), null, 2)}\n`);
      rmSync(join(this.folder, key), { recursive: true, force: true });
      renameSync(part, join(this.folder, key));
    } catch (error) {
      rmSync(part, { recursive: true, force: true });
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error; // another compile was faster
    }
    this.#prune();
  }

  /** Removes what has not been used for longest, and what interrupted compiles left. */
  #prune(): void {
    const entries = readdirSync(this.folder).flatMap((name) => {
      const { mtimeMs } = statSync(join(this.folder, name), { throwIfNoEntry: false }) ?? {};
      return mtimeMs === undefined ? [] : [{ name, mtimeMs }];
    });
    const isPart = ({ name }: { name: string }) => name.startsWith('.part-');
    const old = entries
      .filter((entry) => /^[0-9a-f]{32}$/.test(entry.name))
      .sort((a, b) => b.mtimeMs - a.mtimeMs)
      .slice(ENTRIES_KEPT);
    const abandoned = entries.filter((entry) => isPart(entry) && Date.now() - entry.mtimeMs > ABANDONED_MS);
    for (const { name } of [...old, ...abandoned]) rmSync(join(this.folder, name), { recursive: true, force: true });
  }
}
