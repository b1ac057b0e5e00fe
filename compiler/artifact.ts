/** An artifact folder: what is in it, how it is replaced as a whole, and its manifest. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { FILES, libraryFile } from './emit/names.js';
import type { EmittedFiles } from './emit/render.js';
import { CompileError } from './errors.js';
import type { Quantization } from './model/safetensors/convert.js';
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

/**
 * Notes where the model file is, for programs that load the artifact on this machine. It is no part of what was compiled: the
 * manifest does not name it, and nothing is wrong where it is missing.
 */
export function writeModelPath(folder: string, model: string): void {
  const content = `${JSON.stringify({ model: resolve(model) }, null, 2)}\n`;
  const path = join(folder, FILES.modelPath);
  if (existsSync(path) && readFileSync(path, 'utf8') === content) return;
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new CompileError(`cannot write ${path}: ${(error as Error).message}`);
  }
}

/** The manifest of a folder; undefined where there is none. Errors: CompileError for one that cannot be read. */
export function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, FILES.manifest);
  if (!existsSync(path)) return undefined;
  const again = 'compile the model again';
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CompileError(`${path}: ${(error as Error).message}; ${again}`);
  }
  if (manifest?.format !== 'realizar-artifact')
    throw new CompileError(`${path}: this is not a manifest of realizar-compile; ${again}`);
  if (manifest.version !== MANIFEST_VERSION)
    throw new CompileError(
      `${path}: manifest version ${manifest.version}, this compiler reads ${MANIFEST_VERSION}; ${again}`,
    );
  return manifest;
}

/** What of an artifact is not as its manifest says: one line each, empty if all is well. */
export function damages(folder: string, manifest: Manifest): string[] {
  const problems: string[] = [];
  for (const [name, expected] of Object.entries(manifest.files)) {
    const path = join(folder, basename(name));
    if (!existsSync(path)) problems.push(`${name}: missing`);
    else if (sha256(readFileSync(path)) !== expected) problems.push(`${name}: changed since it was built`);
  }
  return problems;
}

/**
 * A new artifact is made in a folder beside the old one and takes its place only when it is complete, so that a failed
 * or interrupted compile leaves what was there.
 */
export class ArtifactWriter {
  readonly folder: string;
  readonly #target: string;

  constructor(target: string) {
    this.#target = resolve(target);
    refuseForeignFolder(this.#target);
    try {
      mkdirSync(dirname(this.#target), { recursive: true });
      this.folder = mkdtempSync(join(dirname(this.#target), `.${basename(this.#target)}.building-`));
      chmodSync(this.folder, 0o777 & ~process.umask()); // mkdtemp makes it private
    } catch (error) {
      throw new CompileError(`cannot write ${target}: ${(error as Error).message}; choose another folder with -o`);
    }
  }

  write(files: EmittedFiles): void {
    for (const [name, content] of files) writeFileSync(join(this.folder, name), content);
  }

  /** Takes products of the build over and drops the build folder. */
  takeProducts(from: string, names: readonly string[]): void {
    for (const name of names) {
      copyFileSync(join(from, name), join(this.folder, name));
    }
    rmSync(join(this.folder, FILES.build), { recursive: true });
  }

  commit(manifest: Manifest): void {
    writeFileSync(join(this.folder, FILES.manifest), `${JSON.stringify(manifest, null, 2)}\n`);
    const old = `${this.folder}.old`;
    const replaces = existsSync(this.#target);
    if (replaces) {
      keepForeignFiles(this.#target, this.folder);
      renameSync(this.#target, old);
    }
    renameSync(this.folder, this.#target);
    if (replaces) rmSync(old, { recursive: true, force: true });
  }

  discard(): void {
    // A compiler that is about to die may still write.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Only a folder of our own is replaced. */
function refuseForeignFolder(target: string): void {
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) throw new CompileError(`${target} is not a folder; choose another with -o`);
  const names = readdirSync(target);
  if (names.length === 0 || names.includes(FILES.manifest) || names.includes(FILES.plan)) return;
  throw new CompileError(
    `${target} exists and is not an artifact of realizar-compile (no ${FILES.manifest}); remove it or choose another folder with -o`,
  );
}

/** Files that are not ours stay, as hard as it may be to see why they are there. */
function keepForeignFiles(from: string, to: string): void {
  const old = readManifest(from);
  const ours = new Set<string>([...Object.values(FILES), ...Object.keys(old?.files ?? {})]);
  for (const name of readdirSync(from))
    if (!ours.has(name) && !existsSync(join(to, name)) && !/^lib.*\.so$/.test(name))
      renameSync(join(from, name), join(to, name));
}
