/** Finds and loads the addon's binary. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from './errors.js';
import type { NativeAddon } from './native.js';

const PACKAGE = 'realizar-compile';

/** The package's root: the same for this file as source, under runtime/, and compiled, under dist/runtime/. */
export function packageRoot(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const manifest = join(at, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === PACKAGE) return at;
    if (at === dirname(at)) throw failure('NOT_BUILT', `no package.json of ${PACKAGE} above ${import.meta.url}`);
  }
}

let loaded: NativeAddon | undefined;

/** Loads the addon once. Throws a RealizarError that says how to build it where the binary is missing. */
export function loadAddon(): NativeAddon {
  if (loaded) return loaded;
  const root = packageRoot();
  const binary = join(root, 'build', 'addon', 'Release', 'realizar.node');
  if (!existsSync(binary))
    throw failure(
      'NOT_BUILT',
      `${binary} is not built: run "npm run build:addon" in ${root} (needs cmake and a C++ compiler)`,
    );
  loaded = createRequire(import.meta.url)(binary) as NativeAddon;
  return loaded;
}
