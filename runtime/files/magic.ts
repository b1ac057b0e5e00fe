/** Says what a file that is no GGUF looks like, for the error message. */

const SIGNATURES: readonly (readonly [start: string, what: string])[] = [
  ['lmgg', 'a legacy ggml file (convert it with an old llama.cpp, or download the GGUF)'],
  ['fmgg', 'a legacy ggmf file (convert it with an old llama.cpp, or download the GGUF)'],
  ['tjgg', 'a legacy ggjt file (convert it with an old llama.cpp, or download the GGUF)'],
  ['algg', 'a legacy ggla LoRA adapter'],
  ['FUGG', 'a GGUF file with its bytes swapped'],
  ['PK\x03\x04', 'a zip archive, perhaps a PyTorch checkpoint (convert it with convert_hf_to_gguf.py)'],
  ['\x80\x02', 'a Python pickle, perhaps a PyTorch checkpoint (convert it with convert_hf_to_gguf.py)'],
  ['\x1f\x8b', 'a gzip archive'],
  ['\x89HDF', 'an HDF5 file'],
  ['version https://git-lfs', 'a git-lfs pointer: the model itself was not downloaded (git lfs pull)'],
  ['<', 'an HTML or XML page, perhaps a failed download'],
  ['{', 'a JSON file'],
];

/** `start` is the first bytes of the file, 16 or more where the file has them. */
export function looksLike(start: Buffer): string {
  const text = start.toString('latin1');
  if (text[8] === '{') return 'a safetensors file (name its folder, with config.json beside it)';
  const known = SIGNATURES.find(([signature]) => text.startsWith(signature));
  return known?.[1] ?? `the bytes ${start.subarray(0, 4).toString('hex')}`;
}
