/** The manifest of an artifact: what a machine without this compiler needs to know of it, and the hashes of its files. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CompileError } from '../common/errors.js';
import type { Quantization } from '../files/safetensors/convert.js';
import { CONFIG } from '../files/safetensors/folder.js';
import { parseJson, readArtifactFile } from './artifact_file.js';
import { FILES } from './names.js';
import { count, flag, isTable, listOf, number, oneOf, optional, record, sha256Text, tableOf, text } from './shape.js';
import type { TunedShape } from './tuned_shape.js';

export const MANIFEST_VERSION = 3;

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
  readonly model: {
    readonly fileBytes: number;
    readonly headerBytes: number;
    readonly headerSha256: string;
    /** Of each file whole, in order, as sha256sum prints it. Absent where the weights were not read. */
    readonly filesSha256?: readonly string[];
  };
  readonly memory: { readonly weightsBytes: number; readonly kvCacheBytes: number; readonly arenaBytes: number };
  readonly contextLength: number;
  readonly nodeCount: number;
  /** Absent where nothing was built. */
  readonly library?: string;
  /** Of a safetensors folder: what its matrices become when they are loaded. Absent: they stay as they are. */
  readonly quantize?: Quantization;
  /** What the compile took from a tuning file. */
  readonly tuning?: readonly TunedShape[];
  /** SHA-256 of the emitted source, the runtime source and the build's settings: the same inputs need no new build. */
  readonly inputsSha256: string;
  /** SHA-256 of every other file of the folder but model-path.json and manifest.sig, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Of all that stands above: see selfSha256. */
  readonly manifestSha256: string;
}

export const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** With the hash over itself. */
export function sealed(manifest: Omit<Manifest, 'manifestSha256'>): Manifest {
  return { ...manifest, manifestSha256: selfSha256(manifest) };
}

/**
 * SHA-256 of the manifest without `manifestSha256`, as JSON with the names of each table in order and no spaces: what an
 * editor makes of lines and indents is no change.
 */
export function selfSha256(manifest: Omit<Manifest, 'manifestSha256'>): string {
  return sha256(JSON.stringify({ ...manifest, manifestSha256: undefined }, (_, value) => sorted(value)));
}

const sorted = (value: unknown): unknown =>
  isTable(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;

export const manifestText = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`;

const COMPILE_AGAIN = 'compile the model again';
const MOST_BYTES = 4 << 20;

/** A manifest and the bytes that it was read from. */
export interface ReadManifest {
  readonly manifest: Manifest;
  readonly bytes: Buffer;
}

/**
 * The manifest of a folder; undefined where there is none. Its own hash is not compared: damages() does. Errors: CompileError
 * that names the field which is not what it should be.
 */
export function readManifest(folder: string): Manifest | undefined {
  return readManifestBytes(folder)?.manifest;
}

export function readManifestBytes(folder: string): ReadManifest | undefined {
  const bytes = readArtifactFile(folder, FILES.manifest, MOST_BYTES);
  if (bytes === undefined) return undefined;
  const fail = (problem: string): never => {
    throw new CompileError(`${join(folder, FILES.manifest)}: ${problem}; ${COMPILE_AGAIN}`);
  };
  let value: unknown;
  try {
    value = parseJson(bytes.toString('utf8'));
  } catch (error) {
    return fail(`not JSON: ${(error as Error).message}`);
  }
  if (!isTable(value) || value.format !== 'realizar-artifact')
    return fail('this is not a manifest of realizar-compile');
  if (value.version !== MANIFEST_VERSION)
    return fail(
      `manifest version ${JSON.stringify(value.version)?.slice(0, 20)}, this compiler reads ${MANIFEST_VERSION}`,
    );
  const problem = isManifest(value, '');
  return problem === undefined ? { manifest: value as unknown as Manifest, bytes } : fail(problem);
}

export const noArtifact = (folder: string): CompileError =>
  new CompileError(
    `${folder}: no ${FILES.manifest} here; this is not an artifact of realizar-compile${existsSync(join(folder, CONFIG)) ? '' : `, and without ${CONFIG} no model that transformers saved`}`,
  );

const numbers = optional(tableOf(number));

const isManifest = record<Manifest>({
  format: oneOf('realizar-artifact'),
  version: oneOf(MANIFEST_VERSION),
  compilerVersion: text(),
  name: text(),
  architecture: text(),
  target: oneOf('cuda', 'host'),
  archs: listOf(text()),
  cuda: optional(record<Exclude<Manifest['cuda'], undefined>>({ toolkit: text(), leastDriver: text() })),
  sanitize: flag,
  model: record<Manifest['model']>({
    fileBytes: count,
    headerBytes: count,
    headerSha256: sha256Text,
    filesSha256: optional(listOf(sha256Text, 1)),
  }),
  memory: record<Manifest['memory']>({ weightsBytes: count, kvCacheBytes: count, arenaBytes: count }),
  contextLength: count,
  nodeCount: count,
  library: optional(text()),
  quantize: optional(oneOf('q8_0', 'q4_0')),
  tuning: optional(
    listOf(
      record<TunedShape>({
        shape: tableOf(() => undefined),
        changes: record<TunedShape['changes']>({
          projection: numbers,
          alone: numbers,
          coResident: numbers,
          attention: numbers,
        }),
        untunedUs: number,
        us: number,
      }),
    ),
  ),
  inputsSha256: sha256Text,
  files: tableOf(sha256Text),
  manifestSha256: sha256Text,
});
