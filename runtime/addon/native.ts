/** The classes of the addon's binary (wrap.h). Only index.ts and its neighbours call them, with checked arguments. */

/** What was fixed when the model was compiled. Sizes in bytes. */
export interface ModelInfo {
  /** Version of realizar-compile. */
  readonly compilerVersion: string;
  /** The model file's stem. */
  readonly name: string;
  /** general.architecture of the model file. */
  readonly architecture: string;
  /** What the model was compiled for. */
  readonly target: 'cuda' | 'host';
  /** GPU architectures with machine code in the library; none for the host target. */
  readonly gpuArchs: readonly string[];
  /** Tokens of the vocabulary; logits of a step. */
  readonly vocabSize: number;
  /** Positions of one session. */
  readonly contextLength: number;
  /** Elements of the residual stream. */
  readonly embeddingLength: number;
  /** Transformer blocks. */
  readonly layerCount: number;
  /** Query heads of a layer. */
  readonly headCount: number;
  /** Key and value heads of a layer. */
  readonly headCountKv: number;
  /** Elements of a head. */
  readonly headSize: number;
  /** Kernel nodes in one token's graph. */
  readonly nodeCount: number;
  /** Device memory for the weights. */
  readonly weightsBytes: number;
  /** Device memory for one session's KV cache. */
  readonly kvCacheBytes: number;
  /** Device memory for one session's activations. */
  readonly arenaBytes: number;
  /** Size of the GGUF file. */
  readonly fileBytes: number;
  /** Of the GGUF's bytes before its tensor data, lower-case hex. */
  readonly headerSha256: string;
  /** Weights that one token reads. */
  readonly tokenReadBytes: number;
  /** KV cache of one position, all layers. */
  readonly kvRowBytes: number;
}

export interface NativeAddon {
  open(
    library: string,
    model: string,
    device: number,
    orderSeed: number,
    poison: boolean,
    progress: ((phase: string, done: number, total: number) => void) | undefined,
  ): Promise<NativeModel>;
}

export interface NativeModel {
  /** gpuArchs: comma separated. */
  info(): Omit<ModelInfo, 'gpuArchs'> & { readonly gpuArchs: string };
  deviceName(): string;
  kvReadBytes(positions: number): number;
  openSession(): Promise<NativeSession>;
  measureReadCeiling(): Promise<number>;
  close(): Promise<void>;
}

/** mode: 0 graph, 1 eager. */
export interface NativeSession {
  buildGraph(): Promise<number>;
  step(token: number, mode: number): Promise<void>;
  runGreedy(count: number, mode: number): Promise<Int32Array>;
  /** numbers: as packSampling orders them. */
  setSampling(numbers: Float64Array, seed: bigint, tokens: Int32Array, biases: Float64Array): Promise<void>;
  /** Feeds the prompt, then generates. onToken: on the JavaScript thread, always before the promise settles. */
  generate(
    prompt: Int32Array,
    count: number,
    stop: Int32Array,
    mode: number,
    onToken: (token: number) => void,
  ): Promise<void>;
  /** The prompt or generation that was started last ends with its next token. */
  stopGenerating(): void;
  logits(): Promise<Float32Array>;
  chosen(): Promise<number>;
  greedy(): Promise<number>;
  /** After the last call that has ended. */
  position(): number;
  rewind(position: number): Promise<void>;
  dumpNodes(): Promise<string>;
  close(): Promise<void>;
}
