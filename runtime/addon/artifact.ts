/** What the runtime needs of an artifact directory's manifest.json: its library, and what is checked before that is opened. */
import { readFile, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { failure } from './errors.js';
import { requireArtifact } from './no_artifact.js';

const COMPILE_AGAIN = 'compile the model with realizar-compile';

/** `root`: the artifact. */
async function readManifest(root: string): Promise<Partial<Record<string, unknown>>> {
  requireArtifact(root);
  const path = join(root, 'manifest.json');
  try {
    const manifest: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? { ...manifest } : {};
  } catch (error) {
    if (error instanceof SyntaxError)
      throw failure('BAD_ARTIFACT', `${path}: not JSON (${error.message}); ${COMPILE_AGAIN}`);
    throw failure('BAD_ARTIFACT', `${path} cannot be read: ${(error as Error).message}; ${COMPILE_AGAIN}`);
  }
}

/** The positions that an artifact was compiled for. Rejects with a BAD_ARTIFACT error where its manifest does not say. */
export async function compiledContext(directory: string): Promise<number> {
  const root = resolve(directory);
  const path = join(root, 'manifest.json');
  const { contextLength } = await readManifest(root);
  if (typeof contextLength === 'number' && Number.isInteger(contextLength)) return contextLength;
  throw failure('BAD_ARTIFACT', `${path} does not say how many positions it was compiled for; ${COMPILE_AGAIN}`);
}

/** The absolute path of an artifact's library, links resolved. Rejects with a BAD_ARTIFACT error that says what is wrong. */
export async function findLibrary(directory: string): Promise<string> {
  const root = resolve(directory);
  const path = join(root, 'manifest.json');
  const { library } = await readManifest(root);
  if (typeof library !== 'string' || library === '' || library.includes('\0'))
    throw failure('BAD_ARTIFACT', `${path} names no library, as after --no-build; ${COMPILE_AGAIN}`);
  const inside = relative(root, resolve(root, library));
  if (isAbsolute(library) || inside === '..' || inside.startsWith(`..${sep}`))
    throw failure('BAD_ARTIFACT', `${path}: "library" must be inside the artifact, got ${JSON.stringify(library)}`);
  try {
    return await realpath(join(root, library));
  } catch (error) {
    throw failure(
      'BAD_ARTIFACT',
      `${path} names a library that is not there: ${(error as Error).message}; ${COMPILE_AGAIN}`,
    );
  }
}
