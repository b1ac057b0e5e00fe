/** `verify --rebuild`: does the emitted source build to the library and the program that the artifact has? */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, sha256 } from '../runtime/artifact_folder/manifest.js';
import { FILES } from '../runtime/artifact_folder/names.js';
import { CompileError } from '../runtime/common/errors.js';
import { interruptible } from '../runtime/common/interrupt.js';
import { machineOf, machineOfCompiler } from '../runtime/toolchain/machine.js';
import { findCuda } from '../runtime/toolchain/programs.js';
import { build } from './build.js';
import type { EmittedFiles } from './emit/render.js';
import type { Progress } from './progress.js';

interface Rebuild {
  readonly manifest: Manifest;
  readonly files: EmittedFiles;
  readonly cache: boolean;
  readonly progress: Progress;
}

/** Errors: CompileError where there is nothing to compare with, or no toolkit to build with; BuildError. */
export async function rebuildProblems(
  folder: string,
  { manifest, files, cache, progress }: Rebuild,
): Promise<string[]> {
  const { library, target, sanitize } = manifest;
  if (library === undefined)
    throw new CompileError(`${folder} was emitted with --no-build; there is no library to compare`);
  requireMachine(join(folder, library));
  const cuda = target === 'cuda' ? requireToolkit(manifest) : undefined;
  const scratch = mkdtempSync(join(tmpdir(), 'realizar-verify-'));
  const [source, into] = [join(scratch, 'source'), join(scratch, 'products')];
  const products = [library, FILES.replay];
  try {
    for (const made of [source, into]) mkdirSync(made);
    for (const [name, content] of files) writeFileSync(join(source, name), content);
    await progress.stage('build', (detail) =>
      interruptible((interrupted) =>
        build({ source, products, into, target, sanitize, cuda, cache, detail, interrupted }),
      ),
    );
    const isOther = (name: string) => sha256(readFileSync(join(into, name))) !== manifest.files[name];
    return products
      .filter(isOther)
      .map((name) => `${name}: not what its source builds to here; it was changed, or the compiler here is another`);
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 10 });
  }
}

function requireMachine(library: string): void {
  const [made, here] = [machineOf(library), machineOfCompiler()];
  if (made === here || here === undefined) return;
  throw new CompileError(
    `--rebuild needs a C++ compiler for ${made}, which ${library} was built for, and the one here is for ${here}; CXX names another`,
  );
}

function requireToolkit({ cuda: made }: Manifest) {
  const cuda = findCuda();
  if (cuda && cuda.toolkit === made?.toolkit) return cuda;
  throw new CompileError(
    `--rebuild needs the CUDA toolkit that the artifact was built with, ${made?.toolkit}; here is ${cuda ? cuda.toolkit : 'none'}`,
  );
}
