/** This package's own files and version, found from the running module: dist/compiler/ when installed, compiler/ in tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'templates')) || !existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('the realizar-compile package is incomplete: no templates folder above it');
    folder = parent;
  }
  return folder;
}

const ROOT = findRoot();

export const packageFile = (...path: string[]): string => join(ROOT, ...path);

/** The C++ sources that an artifact is built with. */
export const RUNTIME_DIR = packageFile('runtime');

/** Their names in that folder, sorted. */
export function runtimeSources(): string[] {
  const all = readdirSync(RUNTIME_DIR, { recursive: true, encoding: 'utf8' });
  return all.filter((name) => /(\.(cpp|h|cuh)|^CMakeLists\.txt)$/.test(name) && !name.startsWith('addon')).sort();
}

export const VERSION: string = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')).version;
