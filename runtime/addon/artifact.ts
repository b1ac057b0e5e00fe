/** What the runtime needs of an artifact directory: its library, and what is checked before that is opened. */
import type { KeyObject } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { damageOf, isEdited } from '../artifact_folder/damages.js';
import { type ReadManifest, readManifestBytes } from '../artifact_folder/manifest.js';
import { publicKey, signatureProblem } from '../artifact_folder/signature.js';
import { CompileError } from '../common/errors.js';
import { machineOf, THIS_MACHINE } from '../toolchain/machine.js';
import { checkPath } from './arguments.js';
import { failure } from './errors.js';
import { requireArtifact } from './no_artifact.js';

const COMPILE_AGAIN = 'compile the model with realizar-compile';

/** How far an artifact is trusted, of options of openModel. */
export interface Trust {
  /** Compare the library with the hash in the manifest before it is loaded. */
  readonly checkLibrary: boolean;
  /** Whose signature the manifest must have. */
  readonly key: KeyObject | undefined;
}

/** The public key in a file. Throws INVALID_ARGUMENT where there is none. */
export function checkKey(name: string, value: unknown): KeyObject | undefined {
  if (value === undefined) return undefined;
  const path = checkPath(name, value);
  return orFailure('INVALID_ARGUMENT', () => publicKey(path), `${name}: `);
}

/** Throws what the compiler says of a file as a failure of the runtime. */
function orFailure<T>(status: 'BAD_ARTIFACT' | 'INVALID_ARGUMENT', read: () => T, before = ''): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CompileError) throw failure(status, before + error.message, { cause: error });
    throw error;
  }
}

const bad = (problem: string) => failure('BAD_ARTIFACT', `${problem}; ${COMPILE_AGAIN}`);

/** `root`: the artifact. */
function readManifest(root: string): ReadManifest {
  requireArtifact(root);
  const read = orFailure('BAD_ARTIFACT', () => readManifestBytes(root));
  if (read === undefined) throw bad(`${join(root, 'manifest.json')} is not there`);
  return read;
}

/** The positions that an artifact was compiled for. Throws a BAD_ARTIFACT error where its manifest cannot be read. */
export function compiledContext(directory: string): number {
  return readManifest(resolve(directory)).manifest.contextLength;
}

/** What an artifact was compiled for. Throws a BAD_ARTIFACT error where its manifest cannot be read. */
export function compiledTarget(directory: string): 'cuda' | 'host' {
  return readManifest(resolve(directory)).manifest.target;
}

/** The absolute path of an artifact's library, links resolved. Throws a BAD_ARTIFACT error that says what is wrong. */
export function findLibrary(directory: string, { checkLibrary, key }: Trust): string {
  const root = resolve(directory);
  const { manifest, bytes } = readManifest(root);
  const { library, files } = manifest;
  const path = join(root, 'manifest.json');
  const unsigned = key && orFailure('BAD_ARTIFACT', () => signatureProblem(root, bytes, key));
  if (unsigned) throw failure('BAD_ARTIFACT', `${root}: ${unsigned}`);
  if (checkLibrary && isEdited(manifest)) throw bad(`${path} was changed since it was written`);
  if (library === undefined) throw bad(`${path} names no library, as after --no-build`);
  if (!Object.hasOwn(files, library)) throw bad(`${path} has no SHA-256 of its library`);
  const problem = damageOf(root, library, checkLibrary ? files[library] : undefined);
  if (problem) throw bad(`${root}: ${problem}`);
  const machine = machineOf(join(root, library)) ?? THIS_MACHINE; // what is no library, loading says
  if (machine !== THIS_MACHINE)
    throw failure(
      'BAD_ARTIFACT',
      `${join(root, library)} is for ${machine}, and this machine is ${THIS_MACHINE}; ${COMPILE_AGAIN} here, or for here: CXX names a compiler that makes code for ${THIS_MACHINE}`,
    );
  return realpathSync(join(root, library));
}
