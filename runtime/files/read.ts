/** Reads a model of any format that is known. */
import { ModelFileError, UnsupportedError } from '../common/errors.js';
import { type GgufFile, readGguf } from './gguf.js';
import { convertFolder, type Quantization } from './safetensors/convert.js';
import { isFolder, readFolder } from './safetensors/folder.js';

/** Errors: as of readGguf, readFolder and convertFolder; for a GGUF file, UnsupportedError if it is to be quantized. */
export function readModel(path: string, quantize?: Quantization): GgufFile {
  if (isFolder(path)) return convertFolder(readFolder(path), quantize);
  if (/\.safetensors(\.index\.json)?$/.test(path))
    throw new ModelFileError(path, 'file', 'expected a GGUF file, or a folder of safetensors: name the folder');
  if (quantize !== undefined)
    throw new UnsupportedError(path, '--quantize', 'it is for safetensors folders; a GGUF file has the types it has');
  return readGguf(path);
}
