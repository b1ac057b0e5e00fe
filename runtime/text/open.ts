/** Finds the text side of a model: of a GGUF file, or of a folder that transformers saved. */
import { type GgufFile, readGguf } from '../files/gguf.js';
import { readModel } from '../files/read.js';
import { isFolder } from '../files/safetensors/folder.js';
import type { TextSource } from './text_source.js';
import { folderTextSource } from './tokenizer_json.js';

export interface Sizes {
  /** Elements of all tensors. */
  readonly parameters: number;
  /** Of the embedding; undefined for a file that has none. */
  readonly rows: number | undefined;
}

/** Of the model at this path, whose text side is `source`. Errors: as of readModel. */
export function modelSizes(path: string, source: TextSource | GgufFile): Sizes {
  const { tensors } = 'tensors' in source ? source : readModel(path);
  return {
    parameters: tensors.reduce((sum, { dims }) => sum + dims.reduce((product, dim) => product * dim, 1), 0),
    rows: tensors.find(({ name }) => name === 'token_embd.weight')?.dims[1],
  };
}

/** What Tokenizer and ChatTemplate are made from. Errors: as of readGguf and folderTextSource. */
export function textSource(path: string): TextSource | GgufFile {
  return isFolder(path) ? folderTextSource(path) : readGguf(path);
}
