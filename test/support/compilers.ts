/** Programs that stand in for the C++ compiler of a build, to make it fail or last. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

function script(folder: string, name: string, whenKernels: string): string {
  const path = join(folder, name);
  const lines = ['#!/bin/sh', 'case "$*" in', `*kernels.cu*) ${whenKernels};;`, 'esac', 'exec c++ "$@"', ''];
  writeFileSync(path, lines.join('\n'), { mode: 0o755 });
  return path;
}

/** Compiles everything but kernels.cu. */
export const failingCompiler = (folder: string): string =>
  script(folder, 'failing-c++', 'echo "kernels.cu:7:1: error: this one is meant" >&2; exit 1');

/** Stops at kernels.cu, for longer than any test waits, and writes its process id to `marker`. */
export const endlessCompiler = (folder: string, marker: string): string =>
  script(folder, 'endless-c++', `echo $$ >'${marker}.part'; mv '${marker}.part' '${marker}'; exec sleep 300`);

export async function untilExists(path: string): Promise<void> {
  for (let waited = 0; !existsSync(path); waited++) {
    if (waited > 1200) throw new Error(`${path} has not appeared`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
