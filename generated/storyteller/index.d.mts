import { type LanguageModel, type LoadOptions, type Model, type OpenOptions } from "realizar-compile";
/** What was fixed when the model was compiled, and how to load it. Sizes in bytes. */
export declare const storytellerQ8_0: {
  /** The model file's stem. */
  readonly name: "storyteller-q8_0";
  /** general.architecture of the model file. */
  readonly architecture: "llama";
  /** What the model was compiled for. */
  readonly target: "cuda";
  /** GPU architectures with machine code in the library; none for the host target. */
  readonly gpuArchs: readonly ["sm_90a"];
  /** Version of realizar-compile. */
  readonly compilerVersion: "0.1.0";
  /** File name of the library. */
  readonly library: "libstoryteller-q8_0.so";
  /** Tokens of the vocabulary; logits of a step. */
  readonly vocabSize: 909;
  /** Positions of a session. */
  readonly contextLength: 512;
  /** Elements of the residual stream. */
  readonly embeddingLength: 256;
  /** Transformer blocks. */
  readonly layerCount: 4;
  /** Query heads of a layer. */
  readonly headCount: 8;
  /** Key and value heads of a layer. */
  readonly headCountKv: 4;
  /** Elements of a head. */
  readonly headSize: 32;
  /** Kernel nodes in one token's graph. */
  readonly nodeCount: 23;
  /** Size of the GGUF file. */
  readonly fileBytes: 3625792;
  /** SHA-256 of the GGUF file's bytes before its tensor data. */
  readonly headerSha256: "29db554e9fccf322576c5806847eec722f9c2fd49fc42eae2359e233b25ddb6f";
  /** Device memory for the weights. */
  readonly weightsBytes: 3603968;
  /** Device memory for one session's activations. */
  readonly arenaBytes: 2885632;
  /** Device memory for one session's KV cache. */
  readonly kvCacheBytes: 1048576;
  /** Loads it, ready to write. Its GGUF file is looked for where it was compiled from, unless named. */
  load(options?: LoadOptions): Promise<LanguageModel>;
};
/** Opens it to be stepped token by token. `options.model` is its GGUF file, whose weights go to the device. */
export declare function open(options: OpenOptions): Promise<Model>;
