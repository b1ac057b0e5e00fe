/** What of an artifact is not as its manifest says, and which files are its own. */
import { basename, join } from 'node:path';
import { CompileError } from '../common/errors.js';
import { parseJson, readArtifactFile } from './artifact_file.js';
import { type Manifest, selfSha256, sha256 } from './manifest.js';
import { FILES, libraryFile } from './names.js';
import { isTable, shown } from './shape.js';

/** One line each, empty if all is well. */
export function damages(folder: string, manifest: Manifest): string[] {
  const problems: string[] = [];
  if (isEdited(manifest)) problems.push(`${FILES.manifest}: changed since it was written`);
  const needed = [...EMITTED, ...(manifest.library === undefined ? [] : [manifest.library, FILES.replay])];
  for (const name of needed)
    if (!Object.hasOwn(manifest.files, name)) problems.push(`${name}: not in ${FILES.manifest}`);
  for (const [name, expected] of Object.entries(manifest.files)) {
    const problem = damageOf(folder, name, expected);
    if (problem) problems.push(problem);
  }
  return problems;
}

/** The manifest's hash of itself does not match. */
export const isEdited = (manifest: Manifest): boolean => selfSha256(manifest) !== manifest.manifestSha256;

/** Of every artifact; what else is emitted depends on the target. */
const EMITTED = [FILES.plan, FILES.graph, FILES.kernels, FILES.model, FILES.cmake] as const;

const LARGEST = 2 ** 31;

/** What is wrong with a file of the folder, if anything. Without a hash: is it an ordinary file of the folder? */
export function damageOf(folder: string, name: string, expected: string | undefined): string | undefined {
  if (!isFileName(name)) return `${FILES.manifest}: ${shown(name)} is no name of a file in this folder`;
  try {
    const found = readArtifactFile(folder, name, LARGEST);
    if (found === undefined) return `${name}: missing`;
    return expected === undefined || sha256(found) === expected ? undefined : `${name}: changed since it was built`;
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return `${name}: ${error.message.replace(`${join(folder, name)} `, '')}`;
  }
}

const isFileName = (name: string): boolean =>
  name === basename(name) && name !== '.' && name !== '..' && /^[\x20-\x7e]+$/.test(name);

/**
 * The names in a folder that belong to the artifact there, however damaged; undefined where there is none. Never names outside
 * the folder.
 */
export function namesOfArtifact(folder: string): ReadonlySet<string> | undefined {
  const always: string[] = [FILES.manifest, FILES.signature, FILES.modelPath];
  const manifest = tryJson(folder, FILES.manifest) as Manifest | null | undefined;
  if (manifest === undefined) return undefined;
  if (manifest?.format === 'realizar-artifact' && isTable(manifest.files))
    return new Set([...always, ...Object.keys(manifest.files).filter(isFileName)]);
  // Where the manifest is damaged, the plan says enough.
  const plan = tryJson(folder, FILES.plan);
  const model = isTable(plan) && typeof plan.compilerVersion === 'string' && isTable(plan.model) ? plan.model : {};
  if (typeof model.name !== 'string') return undefined;
  const { build: _, ...files } = FILES; // the user's own
  return new Set([...always, ...Object.values(files), ...BINDING, libraryFile(model.name)]);
}

const BINDING = ['index.mjs', 'index.d.mts'] as const;

/** Undefined where there is no such file, null where it is no JSON. */
function tryJson(folder: string, name: string): unknown {
  try {
    const bytes = readArtifactFile(folder, name, LARGEST);
    return bytes && parseJson(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
