/** What a command is given to read: looked at before anything else is done. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { notedModelPath } from '../runtime/artifact_folder/model_note.js';
import { FILES } from '../runtime/artifact_folder/names.js';
import { CompileError } from '../runtime/common/errors.js';
import { CONFIG } from '../runtime/files/safetensors/folder.js';

/** Errors: CompileError where nothing is there. */
export function requireThere(path: string): void {
  if (!existsSync(path)) throw new CompileError(`${path}: there is no such file or folder`);
}

/** Errors: CompileError for an artifact, with the model that it was made of. */
export function requireModel(path: string): void {
  if (!existsSync(join(path, FILES.manifest)) || existsSync(join(path, CONFIG))) return;
  const of = notedModelPath(path);
  throw new CompileError(
    `${path} is an artifact, which was made of a model: realizar-run ${path} runs it, and realizar-compile ` +
      `${of ?? 'MODEL'} makes it anew`,
  );
}
