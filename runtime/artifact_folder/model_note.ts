/** model-path.json of an artifact: where its model was. It may come from anybody. */

import { CompileError } from '../common/errors.js';
import { parseJson, readArtifactFile } from './artifact_file.js';
import { FILES } from './names.js';
import { isTable } from './shape.js';

const MOST_BYTES = 1 << 16;

/** Where an artifact says that its model was. Errors: CompileError, Error: why it does not. */
export function readModelNote(folder: string): string {
  const bytes = readArtifactFile(folder, FILES.modelPath, MOST_BYTES);
  if (bytes === undefined) throw new CompileError('there is no such file');
  const note = parseJson(bytes.toString('utf8'));
  if (!isTable(note) || typeof note.model !== 'string' || note.model === '') throw new CompileError('no "model" in it');
  return note.model;
}

/** The same; undefined where it does not say. */
export function notedModelPath(folder: string): string | undefined {
  try {
    return readModelNote(folder);
  } catch {
    return undefined;
  }
}
