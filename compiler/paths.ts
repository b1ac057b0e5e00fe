/** What a command is given to read: looked at before anything else is done. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FILES } from './emit/names.js';
import { CompileError } from './errors.js';
import { CONFIG } from './model/safetensors/folder.js';
import { notedModelPath } from './model_note.js';

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
