/** Names of the files of an artifact. */

/** Files of an artifact folder, relative to it. */
export const FILES = {
  plan: 'plan.json',
  manifest: 'manifest.json',
  modelPath: 'model-path.json',
  signature: 'manifest.sig',
  graph: 'graph.cpp',
  kernels: 'kernels.cu',
  model: 'model.h',
  code: 'code.S',
  cmake: 'CMakeLists.txt',
  replay: 'replay',
  build: 'build',
} as const;

const LONGEST = 80;

/** A model's name as a file name: letters, digits, dot, dash and underscore, never hidden, never empty. */
export function fileName(model: string): string {
  const safe = model
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^[._-]+/, '')
    .slice(0, LONGEST);
  return safe === '' ? 'model' : safe;
}

/** A model's shared library, and its name without lib and .so. */
export const libraryName = (model: string): string => fileName(model).replace(/\.+/g, '_');
export const libraryFile = (model: string): string => `lib${libraryName(model)}.so`;
