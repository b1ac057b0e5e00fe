// Written by realizar-compile: the constants of a compiled model, load() and open().
import { loadModel, openModel } from "realizar-compile";
/** What was fixed when the model was compiled, and how to load it. Sizes in bytes. */
export const storytellerQ8_0 = {
  name: "storyteller-q8_0",
  architecture: "llama",
  target: "cuda",
  gpuArchs: ["sm_90a"],
  compilerVersion: "0.1.0",
  library: "libstoryteller-q8_0.so",
  vocabSize: 909,
  contextLength: 512,
  embeddingLength: 256,
  layerCount: 4,
  headCount: 8,
  headCountKv: 4,
  headSize: 32,
  nodeCount: 23,
  fileBytes: 3625792,
  headerSha256: "29db554e9fccf322576c5806847eec722f9c2fd49fc42eae2359e233b25ddb6f",
  weightsBytes: 3603968,
  arenaBytes: 2885632,
  kvCacheBytes: 1048576,
  load: (options) => loadModel(new URL(".", import.meta.url), options)
};
/** Opens it to be stepped token by token. `options.model` is its GGUF file, whose weights go to the device. */
export function open(options) {
  return openModel(new URL(".", import.meta.url), options);
}
