/** Are the weights that a manifest has the hashes of still those of the model? */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { replaceFile } from '../runtime/artifact_folder/artifact_file.js';
import { type Manifest, manifestText, sealed } from '../runtime/artifact_folder/manifest.js';
import { notedModelPath } from '../runtime/artifact_folder/model_note.js';
import { FILES } from '../runtime/artifact_folder/names.js';
import { filePaths } from '../runtime/files/parts.js';
import type { ModelSpec } from './model/spec.js';
import type { Progress } from './progress.js';
import { WeightsHash } from './weights_hash.js';

export const modelFiles = ({ file }: Pick<ModelSpec, 'file'>): string[] => filePaths(file.path, file.parts);

interface Known {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly spec: ModelSpec;
  readonly wantsHash: boolean;
  readonly progress: Progress;
}

/**
 * The manifest of an artifact that is up to date but for the weights, which may have changed since under an equal header: then
 * their hash is taken again, and nothing else is.
 */
export async function withWeights({ folder, manifest, spec, wantsHash, progress }: Known): Promise<Manifest> {
  const { filesSha256: known, ...model } = manifest.model;
  const isCurrent = known !== undefined && !changedSince(folder, spec);
  if (isCurrent || (known === undefined && !wantsHash)) return manifest;
  const hashes = wantsHash
    ? await progress.stage('weights', async (detail) => {
        const weights = new WeightsHash(modelFiles(spec), spec.file.bytes);
        const finished = await weights.finish((done) => detail(`hashing them, ${done}`));
        detail('hashed');
        return finished;
      })
    : undefined;
  const { manifestSha256: _, ...rest } = manifest;
  const now = sealed({ ...rest, model: { ...model, ...(hashes && { filesSha256: hashes }) } });
  replaceFile(join(folder, FILES.manifest), manifestText(now));
  return now;
}

/** Has a file of the model another path, or a time after the manifest's? A file that was moved or copied there has. */
function changedSince(folder: string, spec: ModelSpec): boolean {
  if (notedModelPath(folder) !== resolve(spec.file.path)) return true;
  const written = statSync(join(folder, FILES.manifest)).mtimeMs;
  return modelFiles(spec).some((path) => {
    const { mtimeMs, ctimeMs } = statSync(path);
    return Math.max(mtimeMs, ctimeMs) >= written;
  });
}
