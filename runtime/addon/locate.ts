/** Finds and loads the addon's binary, and has it built where there is none. */
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
let building: Promise<void> | undefined;

/**
 * Loads the addon, once. Where it has not been built it is built now, which takes half a minute, and calls `onBuild` when
 * that begins and ends. Rejects with a NOT_BUILT error that says what is missing.
 */
export async function loadAddon(onBuild: (done: boolean) => void = () => {}): Promise<NativeAddon> {
  if (loaded) return loaded;
  const root = packageRoot();
  const inPackage = join(root, 'build', 'addon', 'Release', 'realizar.node');
  const binary = existsSync(inPackage) ? inPackage : await fromCache(root, onBuild);
  try {
    loaded ??= createRequire(import.meta.url)(binary) as NativeAddon;
  } catch (error) {
    const hint = 'it is from another kind of machine, or damaged: remove it, and it is built again';
    throw failure('NOT_BUILT', `${binary} cannot be loaded: ${(error as Error).message}; ${hint}`);
  }
  return loaded;
}

async function fromCache(root: string, onBuild: (done: boolean) => void): Promise<string> {
  const { buildAddon, cachedBinary } = await import('./build.js');
  const binary = cachedBinary(root);
  if (existsSync(binary)) return binary;
  onBuild(false);
  building ??= buildAddon(root, binary);
  try {
    await building;
  } finally {
    building = undefined;
  }
  onBuild(true);
  return binary;
}
