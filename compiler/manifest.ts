/** The manifest of an artifact: what a machine without this compiler needs to know of it, and the hashes of its files. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FILES, libraryFile } from './emit/names.js';
import type { EmittedFiles } from './emit/render.js';
import { CompileError } from './errors.js';
import type { Quantization } from './model/safetensors/convert.js';
import { CONFIG } from './model/safetensors/folder.js';
import { RUNTIME_DIR, runtimeSources, VERSION } from './package.js';
import type { Plan } from './plan/plan.js';
import type { Cuda } from './toolchain.js';

export const MANIFEST_VERSION = 1;

/** manifest.json: what a machine without this compiler needs to know of an artifact. docs/artifact.md describes it. */
export interface Manifest {
  readonly format: 'realizar-artifact';
  readonly version: typeof MANIFEST_VERSION;
  readonly compilerVersion: string;
  readonly name: string;
  readonly architecture: string;
  readonly target: 'cuda' | 'host';
  readonly archs: readonly string[];
  /** Absent for the host target, and where nothing was built. */
  readonly cuda?: { readonly toolkit: string; readonly leastDriver: string };
  readonly sanitize: boolean;
  readonly model: { readonly fileBytes: number; readonly headerBytes: number; readonly headerSha256: string };
  readonly memory: { readonly weightsBytes: number; readonly kvCacheBytes: number; readonly arenaBytes: number };
  readonly contextLength: number;
  readonly nodeCount: number;
  /** Absent where nothing was built. */
  readonly library?: string;
  /** Of a safetensors folder: what its matrices become when they are loaded. Absent: they stay as they are. */
  readonly quantize?: Quantization;
  /** SHA-256 of the emitted source, the runtime source and the build's settings: the same inputs need no new build. */
  readonly inputsSha256: string;
  /** SHA-256 of every other file of the folder but model-path.json, by name. */
  readonly files: Readonly<Record<string, string>>;
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** Changes when anything that the build reads changes. */
export function inputsSha256(files: EmittedFiles, settings: object): string {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const [name, content] of [...files].sort()) hash.update(`${name}\0${content}\0`);
  for (const name of runtimeSources()) hash.update(`${name}\0`).update(readFileSync(join(RUNTIME_DIR, name)));
  return hash.digest('hex');
}

export function manifestOf(
  plan: Plan,
  folder: string,
  build: {
    inputs: string;
    sanitize: boolean;
    cuda?: Cuda | undefined;
    built: boolean;
    quantize?: Quantization | undefined;
  },
): Manifest {
  const { model, memory, target } = plan;
  const apart: readonly string[] = [FILES.manifest, FILES.modelPath, FILES.build];
  const names = readdirSync(folder).filter((name) => !apart.includes(name));
  return {
    format: 'realizar-artifact',
    version: MANIFEST_VERSION,
    compilerVersion: VERSION,
    name: model.name,
    architecture: model.architecture,
    target: target.kind,
    archs: target.archs,
    ...(build.cuda && { cuda: { toolkit: build.cuda.toolkit, leastDriver: build.cuda.leastDriver } }),
    sanitize: build.sanitize,
    model: { fileBytes: model.fileBytes, headerBytes: model.headerBytes, headerSha256: model.headerSha256 },
    memory: { weightsBytes: memory.weightsBytes, kvCacheBytes: memory.kvCacheBytes, arenaBytes: memory.arenaBytes },
    contextLength: model.contextLength,
    nodeCount: plan.nodes.length,
    ...(build.built && { library: libraryFile(model.name) }),
    ...(build.quantize && { quantize: build.quantize }),
    inputsSha256: build.inputs,
    files: Object.fromEntries(names.sort().map((name) => [name, sha256(readFileSync(join(folder, name)))])),
  };
}

const COMPILE_AGAIN = 'compile the model again';

/** The manifest of a folder; undefined where there is none. Errors: CompileError for one that cannot be read. */
export function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, FILES.manifest);
  const fail = (problem: string): never => {
    throw new CompileError(`${path}: ${problem}; ${COMPILE_AGAIN}`);
  };
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  let manifest: Manifest | null;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    return fail((error as Error).message);
  }
  if (manifest?.format !== 'realizar-artifact') return fail('this is not a manifest of realizar-compile');
  if (manifest.version !== MANIFEST_VERSION)
    return fail(`manifest version ${manifest.version}, this compiler reads ${MANIFEST_VERSION}`);
  const wrong = FIELDS.find(([, isSound]) => !isSound(manifest));
  return wrong ? fail(`"${wrong[0]}" is not what it should be`) : manifest;
}

export const noArtifact = (folder: string): CompileError =>
  new CompileError(
    `${folder}: no ${FILES.manifest} here; this is not an artifact of realizar-compile${existsSync(join(folder, CONFIG)) ? '' : `, and without ${CONFIG} no model that transformers saved`}`,
  );

/** Undefined where there is no such file. Errors: CompileError with what the operating system says. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CompileError(`cannot read ${path}: ${message}`);
  }
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isTable = (value: unknown, of: (entry: unknown) => boolean): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(of);

/** What is read of a manifest, and when it is sound. */
const FIELDS: readonly (readonly [name: string, isSound: (manifest: Manifest) => boolean])[] = [
  ['compilerVersion', (m) => isText(m.compilerVersion)],
  ['name', (m) => isText(m.name)],
  ['architecture', (m) => isText(m.architecture)],
  ['target', (m) => m.target === 'cuda' || m.target === 'host'],
  ['archs', (m) => Array.isArray(m.archs) && m.archs.every(isText)],
  ['cuda', (m) => m.cuda === undefined || isTable(m.cuda, isText)],
  ['model', (m) => isTable(m.model, () => true) && isCount(m.model.fileBytes) && isText(m.model.headerSha256)],
  [
    'memory',
    (m) =>
      isTable(m.memory, isCount) && [m.memory.weightsBytes, m.memory.kvCacheBytes, m.memory.arenaBytes].every(isCount),
  ],
  ['contextLength', (m) => isCount(m.contextLength) && m.contextLength > 0],
  ['nodeCount', (m) => isCount(m.nodeCount)],
  ['library', (m) => m.library === undefined || isText(m.library)],
  ['inputsSha256', (m) => isText(m.inputsSha256)],
  ['files', (m) => isTable(m.files, isText)],
];

/** What of an artifact is not as its manifest says: one line each, empty if all is well. */
export function damages(folder: string, manifest: Manifest): string[] {
  const problems: string[] = [];
  const needed = [...EMITTED, ...(manifest.library === undefined ? [] : [manifest.library, FILES.replay])];
  for (const name of needed) if (!(name in manifest.files)) problems.push(`${name}: not in ${FILES.manifest}`);
  for (const [name, expected] of Object.entries(manifest.files)) {
    const problem = damageOf(join(folder, basename(name)), expected);
    if (problem) problems.push(`${name}: ${problem}`);
  }
  return problems;
}

/** Of every artifact; what else is emitted depends on the target. */
const EMITTED = [FILES.plan, FILES.graph, FILES.kernels, FILES.model, FILES.cmake] as const;

function damageOf(path: string, expected: string): string | undefined {
  try {
    return sha256(readFileSync(path)) === expected ? undefined : 'changed since it was built';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'missing' : message;
  }
}

/**
 * The names in a folder that belong to the artifact there, however damaged; undefined where there is none. Never names outside
 * the folder.
 */
export function namesOfArtifact(folder: string): ReadonlySet<string> | undefined {
  const always: string[] = [FILES.manifest, FILES.modelPath];
  const manifest = tryJson<Manifest>(join(folder, FILES.manifest));
  if (manifest === undefined) return undefined;
  if (manifest?.format === 'realizar-artifact' && isTable(manifest.files, isText))
    return new Set([...always, ...Object.keys(manifest.files).filter((name) => name === basename(name))]);
  // What its plan says will do, where something happened to the manifest.
  const plan = tryJson<Plan>(join(folder, FILES.plan));
  if (!isText(plan?.compilerVersion) || !isText(plan?.model?.name)) return undefined;
  const { build: _, ...files } = FILES; // the user's own
  return new Set([...always, ...Object.values(files), ...BINDING, libraryFile(plan!.model.name)]);
}

const BINDING = ['index.mjs', 'index.d.mts'] as const;

/** Undefined where there is no such file, null where it is no JSON. */
function tryJson<T>(path: string): T | null | undefined {
  const text = readIfThere(path);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return null;
  }
}
