/** The manifest of what a compile has made. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_VERSION, type Manifest, sealed, sha256 } from '../runtime/artifact_folder/manifest.js';
import { FILES, libraryFile } from '../runtime/artifact_folder/names.js';
import type { TunedShape } from '../runtime/artifact_folder/tuned_shape.js';
import { RUNTIME_DIR, runtimeSources, VERSION } from '../runtime/common/package.js';
import type { Quantization } from '../runtime/files/safetensors/convert.js';
import type { Cuda } from '../runtime/toolchain/programs.js';
import type { EmittedFiles } from './emit/render.js';
import type { Plan } from './plan/plan.js';
import { leastDriver } from './toolkit.js';

/** What a compile knows beside its plan. */
export interface Built {
  readonly inputs: string;
  readonly sanitize: boolean;
  readonly cuda?: Pick<Cuda, 'toolkit'> | undefined;
  readonly built: boolean;
  readonly quantize?: Quantization | undefined;
  readonly tuning?: readonly TunedShape[] | undefined;
  readonly filesSha256?: readonly string[] | undefined;
}

/** Changes when anything that the build reads changes. */
export function inputsSha256(files: EmittedFiles, settings: object): string {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const [name, content] of [...files].sort()) hash.update(`${name}\0${content}\0`);
  for (const name of runtimeSources()) hash.update(`${name}\0`).update(readFileSync(join(RUNTIME_DIR, name)));
  return hash.digest('hex');
}

/** Files of a folder that the manifest does not name. */
const APART: readonly string[] = [FILES.manifest, FILES.signature, FILES.modelPath, FILES.build];

/** The manifest of what a compile has put into a folder. */
export function manifestOf(plan: Plan, folder: string, built: Built): Manifest {
  const names = readdirSync(folder).filter((name) => !APART.includes(name));
  const files = names.sort().map((name) => [name, sha256(readFileSync(join(folder, name)))] as const);
  return describeArtifact(plan, built, Object.fromEntries(files));
}

/** The manifest of a plan whose files have these hashes. */
export function describeArtifact(plan: Plan, built: Built, files: Readonly<Record<string, string>>): Manifest {
  const { model, memory, target } = plan;
  const { cuda, sanitize, quantize, tuning, filesSha256 } = built;
  return sealed({
    format: 'realizar-artifact',
    version: MANIFEST_VERSION,
    compilerVersion: VERSION,
    name: model.name,
    architecture: model.architecture,
    target: target.kind,
    archs: target.archs,
    ...(cuda && { cuda: { toolkit: cuda.toolkit, leastDriver: leastDriver(cuda.toolkit, target.archs) } }),
    sanitize,
    model: {
      fileBytes: model.fileBytes,
      headerBytes: model.headerBytes,
      headerSha256: model.headerSha256,
      ...(filesSha256 && { filesSha256 }),
    },
    memory: { weightsBytes: memory.weightsBytes, kvCacheBytes: memory.kvCacheBytes, arenaBytes: memory.arenaBytes },
    contextLength: model.contextLength,
    nodeCount: plan.programs[0].nodes.length,
    ...(built.built && { library: libraryFile(model.name) }),
    ...(quantize && { quantize }),
    ...(tuning && tuning.length > 0 && { tuning }),
    inputsSha256: built.inputs,
    files,
  });
}
