/** Measures what a user of the Node API gets from an artifact on this machine. */
import { compiledContext } from '../../addon/artifact.js';
import {
  type Model,
  type ModelInfo,
  type OpenOptions,
  type OpenProgress,
  openModel,
  type Session,
} from '../../addon/index.js';
import { RunError } from '../exit.js';

export interface BenchSizes {
  /** Tokens of the prompt, from position 0. */
  readonly prompt: number;
  /** Tokens that are generated. */
  readonly generate: number;
  /** Positions that are in use before the first of them. */
  readonly depth: number;
  readonly repetitions: number;
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
  readonly prompt: Rate;
  /** Each token is handed to JavaScript before the next is. */
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
  cuda: { prompt: 512, generate: 128, depth: 0, repetitions: 5 },
  host: { prompt: 16, generate: 16, depth: 0, repetitions: 1 },
};
/** Any will do: weights are read and multiplied whatever the token is. */
const TOKEN = 1;

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
    const session = await clock.time('session', () => model.createSession());
    await clock.time('graph', () => session.buildGraph());
    await clock.time('first token', async () => {
      await session.step(TOKEN);
      await session.chosen();
    });
    const toFirstTokenMs = performance.now();
    const prompt = await repeat(asked, signal, (run) => {
      onStep(`prompt, ${run}`);
      return timePrompt(session, asked, signal);
    });
    const decode = await repeat(asked, signal, (run) => {
      onStep(`decode, ${run}`);
      return timeDecode(session, asked, signal);
    });
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

/** Tokens a second. */
async function timePrompt(session: Session, { prompt }: BenchSizes, signal: AbortSignal): Promise<number> {
  await session.rewind(0);
  const start = performance.now();
  await session.prefill(Array(prompt).fill(TOKEN), { signal });
  return (prompt / (performance.now() - start)) * 1000;
}

/** Tokens a second, from the first one on: that one comes with the end of the prompt. */
async function timeDecode(session: Session, { generate, depth }: BenchSizes, signal: AbortSignal): Promise<number> {
  await session.rewind(0);
  await session.prefill(Array(depth + 1).fill(TOKEN), { signal });
  let [first, last, count] = [0, 0, 0];
  for await (const _ of session.generate({ maxTokens: generate, signal })) {
    last = performance.now();
    first ||= last;
    count++;
  }
  if (count !== generate) throw new RunError(`expected ${generate} tokens, and ${count} came`);
  return ((count - 1) / (last - first)) * 1000;
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
