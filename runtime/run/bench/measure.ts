/** Measures what a user of the Node API gets from an artifact on this machine. */
import { compiledContext } from '../../addon/artifact.js';
import { type Model, type ModelInfo, type OpenOptions, type OpenProgress, openModel } from '../../addon/index.js';
import { RunError } from '../exit.js';
import { EngineClock } from './engine_clock.js';

export interface BenchSizes {
  /** Tokens of the prompt, from position 0. */
  readonly prompt: number;
  /** Tokens that are generated. */
  readonly generate: number;
  /** Positions that are in use before the first of them. */
  readonly depth: number;
  readonly repetitions: number;
  /** So many at once, besides one alone: a measurement each. */
  readonly sequences: readonly number[];
}

export interface BenchRequest {
  readonly dir: string;
  readonly model: string;
  readonly device: number;
  readonly trust: Pick<OpenOptions, 'checkLibrary' | 'key'>;
  /** Defaults depend on the target: the host's simulator is slow. */
  readonly sizes: Partial<BenchSizes>;
  readonly signal: AbortSignal;
  readonly onLoading: (progress: OpenProgress) => void;
  readonly onStep: (what: string) => void;
}

/** Rates per second, each the median of the repetitions. */
export interface BenchResult {
  readonly name: string;
  readonly architecture: string;
  readonly target: 'cuda' | 'host';
  readonly device: string;
  readonly contextLength: number;
  readonly nodeCount: number;
  readonly repetitions: number;
  /** Until the first token after it. */
  readonly prompt: Rate;
  /** Of one sequence that is alone. Each token is handed to JavaScript before the next is. */
  readonly decode: Rate & {
    readonly depth: number;
    /** Weights, and KV cache on average, that one token reads. */
    readonly bytesPerToken: number;
    readonly bytesPerSecond: number;
    /** What a kernel that only reads gets from this device's memory, measured in this run. */
    readonly readCeilingBytesPerSecond: number;
    /** bytesPerSecond of the ceiling. */
    readonly ratio: number;
  };
  /** Of several sequences at once: tokens of all of them together. */
  readonly atOnce: readonly { readonly sequences: number; readonly prompt: Rate; readonly decode: Rate }[];
  /** Milliseconds, in order. */
  readonly coldStart: readonly Phase[];
  /** From the start of the process to the first token: the phases, and Node's own start. */
  readonly toFirstTokenMs: number;
}

interface Rate {
  readonly tokens: number;
  readonly tokensPerSecond: number;
  readonly samples: readonly number[];
}

interface Phase {
  readonly name: string;
  readonly ms: number;
}

const DEFAULTS: Record<ModelInfo['target'], BenchSizes> = {
  cuda: { prompt: 512, generate: 128, depth: 0, repetitions: 5, sequences: [] },
  host: { prompt: 16, generate: 16, depth: 0, repetitions: 1, sequences: [] },
};

/** Errors: those of openModel; RunError where the context is too short. */
export async function measure(request: BenchRequest): Promise<BenchResult> {
  const { dir, model: file, device, trust, sizes, signal, onStep } = request;
  checkSizes(compiledContext(dir), sizes);
  const clock = new PhaseClock();
  const onProgress = (progress: OpenProgress) => {
    request.onLoading(progress);
    clock.tick(progress.phase, progress.done, progress.total);
  };
  const model = await openModel(dir, { model: file, device, ...trust, onProgress });
  try {
    const { info } = model;
    const asked = chooseSizes(info, sizes);
    const most = Math.max(1, ...asked.sequences);
    const engine = await clock.time('engine', () => model.createEngine({ sequences: most }));
    const timing = new EngineClock(engine, info.vocabSize, signal);
    await clock.time('first token', () => timing.run({ count: 1, prompt: 1, generate: 1 }));
    const toFirstTokenMs = performance.now();
    const prompt = await repeat(asked, signal, async (run) => {
      onStep(`prompt, ${run}`);
      return (await timing.run({ count: 1, prompt: asked.prompt, generate: 1 })).prompt;
    });
    const decode = await repeat(asked, signal, async (run) => {
      onStep(`decode, ${run}`);
      return (await timing.run({ count: 1, prompt: asked.depth + 1, generate: asked.generate })).decode;
    });
    const atOnce = await measureAtOnce(timing, asked, request);
    onStep('read ceiling');
    const ceiling = await model.measureReadCeiling();
    return {
      name: info.name,
      architecture: info.architecture,
      target: info.target,
      device: model.deviceName,
      contextLength: info.contextLength,
      nodeCount: info.nodeCount,
      repetitions: asked.repetitions,
      prompt: rate(asked.prompt, prompt),
      decode: {
        ...rate(asked.generate, decode),
        depth: asked.depth,
        ...traffic(model, asked, median(decode), ceiling),
      },
      atOnce,
      coldStart: clock.phases,
      toFirstTokenMs,
    };
  } finally {
    await model.close();
  }
}

function chooseSizes({ target, contextLength }: ModelInfo, given: Partial<BenchSizes>): BenchSizes {
  const usual = DEFAULTS[target];
  return {
    prompt: Math.min(usual.prompt, contextLength),
    generate: Math.min(usual.generate, Math.max(2, contextLength - (given.depth ?? 0) - 1)),
    depth: usual.depth,
    repetitions: usual.repetitions,
    sequences: usual.sequences,
    ...given,
  };
}

/** Checked before a model is loaded: with the smallest default for what is not given. */
function checkSizes(contextLength: number, { prompt = 1, depth = 0, generate = 2 }: Partial<BenchSizes>): void {
  const needed = Math.max(prompt, depth + generate);
  if (needed <= contextLength) return;
  throw new RunError(
    `this needs ${needed} positions (the prompt, or depth and generated tokens), and the artifact has ${contextLength}: ask for fewer, or compile it with a larger --context`,
  );
}

async function repeat(
  { repetitions }: BenchSizes,
  signal: AbortSignal,
  run: (which: string) => Promise<number>,
): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    signal.throwIfAborted();
    samples.push(await run(`${i + 1} of ${repetitions}`));
  }
  return samples;
}

async function measureAtOnce(timing: EngineClock, asked: BenchSizes, { signal, onStep }: BenchRequest) {
  const measured: BenchResult['atOnce'][number][] = [];
  for (const count of asked.sequences) {
    const prompts: number[] = [];
    const decode = await repeat(asked, signal, async (run) => {
      onStep(`${count} at once, ${run}`);
      const rates = await timing.run({ count, prompt: asked.prompt, generate: asked.generate });
      prompts.push(rates.prompt);
      return rates.decode;
    });
    measured.push({ sequences: count, prompt: rate(asked.prompt, prompts), decode: rate(asked.generate, decode) });
  }
  return measured;
}

function traffic(model: Model, sizes: BenchSizes, tokensPerSecond: number, ceiling: number) {
  const bytesPerToken = model.info.tokenReadBytes + meanKvBytes(model, sizes);
  const bytesPerSecond = bytesPerToken * tokensPerSecond;
  return { bytesPerToken, bytesPerSecond, readCeilingBytesPerSecond: ceiling, ratio: bytesPerSecond / ceiling };
}

/** Of a step: step i of the generate - 1 that are timed attends to depth + 1 + i positions. */
function meanKvBytes(model: Model, { generate, depth }: BenchSizes): number {
  let bytes = 0;
  for (let step = 1; step < generate; step++) bytes += model.kvReadBytes(depth + 1 + step);
  return bytes / (generate - 1);
}

const rate = (tokens: number, samples: readonly number[]): Rate => ({
  tokens,
  tokensPerSecond: median(samples),
  samples,
});

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** What getting ready is made of. */
class PhaseClock {
  readonly phases: Phase[] = [];
  #start = 0;

  tick(name: string, done: number, total: number): void {
    if (done === 0) this.#start = performance.now();
    if (done === total) this.phases.push({ name, ms: performance.now() - this.#start });
  }

  async time<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.tick(name, 0, 1);
    const result = await run();
    this.tick(name, 1, 1);
    return result;
  }
}
