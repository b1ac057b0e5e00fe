/** Finds the text side of a model: of a GGUF file, or of a folder that transformers saved. */
import { readGguf } from '../../compiler/model/gguf.js';
import { isFolder } from '../../compiler/model/safetensors/folder.js';
import type { TextSource } from './text_source.js';
import { folderTextSource } from './tokenizer_json.js';

/** What Tokenizer and ChatTemplate are made from. Errors: as of readGguf and folderTextSource. */
export function textSource(path: string): TextSource {
  return isFolder(path) ? folderTextSource(path) : readGguf(path);
}
