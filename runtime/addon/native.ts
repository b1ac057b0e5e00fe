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

/** What an engine is doing, and what it has done since it was opened. */
export interface EngineStatistics {
  /** Sequences that run at once at most. */
  readonly sequences: number;
  /** Positions of a sequence at most. */
  readonly context: number;
  /** Sequences that run now. */
  readonly running: number;
  /** Sequences that wait now. */
  readonly waiting: number;
  /** Pages of KV cache, each 64 positions of all layers that see all positions. */
  readonly pages: number;
  /** The same of layers that see only the newest positions; 0 where there are none. */
  readonly windowPages: number;
  /** Of the pages, those that no sequence uses now. */
  readonly freePages: number;
  /** Of the window pages, those that no sequence uses now. */
  readonly freeWindowPages: number;
  /** Of the free pages, those that keep what a prompt may begin with. */
  readonly cachedPages: number;
  /** Device memory of all pages. */
  readonly kvBytes: number;
  /** Steps so far. */
  readonly steps: number;
  /** Rows of these steps: a token of a sequence each. */
  readonly rows: number;
  /** How often a sequence gave up its pages, to be computed again later. */
  readonly preemptions: number;
  /** Tokens of prompts that have begun. */
  readonly promptTokens: number;
  /** Of these, those that were in the KV cache already. */
  readonly prefixHitTokens: number;
  /** Tokens that were chosen. */
  readonly chosenTokens: number;
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
  /** 0 is the library's default of the first three. onEvents: on the JavaScript thread; it must not throw. */
  openEngine(
    sequences: number,
    context: number,
    kvMemory: number,
    deterministic: boolean,
    onEvents: OnEvents,
  ): Promise<NativeEngine>;
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

/** A batch of events as event_arrays.cpp packs it; or, instead of all of it, why no more will come. */
export type OnEvents = (
  numbers: Float64Array | undefined,
  topTokens: Int32Array | undefined,
  topLogprobs: Float32Array | undefined,
  errors: readonly Error[] | Error,
) => void;

/** All but close() are done when they return, and throw what they fail with. */
export interface NativeEngine {
  /** sampling: as packSampling has it. Returns the number by which the request's events name it. */
  submit(
    prompt: Int32Array,
    maxTokens: number,
    sequences: number,
    stop: Int32Array,
    logprobs: number,
    promptLogprobs: boolean,
    priority: number,
    constrained: boolean,
    maskMilliseconds: number,
    ...sampling: readonly [numbers: Float64Array, seed: bigint, tokens: Int32Array, biases: Float64Array]
  ): number;
  cancel(request: number, index: number | undefined): void;
  setMask(request: number, index: number, chosen: number, words: Uint32Array): void;
  statistics(): EngineStatistics;
  close(): Promise<void>;
}
