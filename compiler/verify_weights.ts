/** `verify --weights`: has the model still the bytes that it had when it was compiled? */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Manifest } from '../runtime/artifact_folder/manifest.js';
import { notedModelPath } from '../runtime/artifact_folder/model_note.js';
import { CompileError } from '../runtime/common/errors.js';
import { filePaths } from '../runtime/files/parts.js';
import type { Plan } from './plan/plan.js';
import type { Progress } from './progress.js';
import { WeightsHash } from './weights_hash.js';

interface Weights {
  readonly manifest: Manifest;
  readonly plan: Plan;
  /** Undefined: where the artifact says that it was, or beside its files. */
  readonly model: string | undefined;
  readonly progress: Progress;
}

/** Errors: CompileError where the manifest has no hash to compare with, or the model cannot be found or read. */
export async function weightsProblems(folder: string, { manifest, plan, model, progress }: Weights): Promise<string[]> {
  const { filesSha256, fileBytes } = manifest.model;
  if (filesSha256 === undefined)
    throw new CompileError(
      `${folder}: its manifest has no hash of the weights, as after --no-hash-weights and --no-build; compile the model again`,
    );
  const path = model ?? findModel(folder);
  const paths = filePaths(path, plan.model.parts ?? [{ bytes: fileBytes, headerBytes: manifest.model.headerBytes }]);
  const found = await progress.stage('weights', async (detail) => {
    const hashes = await new WeightsHash(paths, fileBytes).finish((done) => detail(`${path}, ${done}`));
    detail(path);
    return hashes;
  });
  return paths.flatMap((file, i) =>
    found[i] === filesSha256[i]
      ? []
      : [`${file}: not the bytes that were compiled: its SHA-256 is ${found[i]}, not ${filesSha256[i]}`],
  );
}

function findModel(folder: string): string {
  const noted = notedModelPath(folder);
  const places = noted === undefined ? [] : [noted, join(folder, basename(noted))];
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new CompileError(
    `${folder}: no model file, looked for ${places.join(' and ') || 'the one that model-path.json names'}; name it with --model`,
  );
}
