/**
 * Runs compiled models in Node: open an artifact, create a session, step it token by token; or create an engine, which
 * computes many sequences at once.
 *
 * ```js
 * const model = await openModel('generated/storyteller', { model: 'storyteller.gguf' });
 * const session = await model.createSession();
 * await session.buildGraph();
 * await session.step(42);
 * const next = await session.greedy();
 * await model.close();
 * ```
 *
 * Whatever can block runs on libuv's thread pool (UV_THREADPOOL_SIZE, 4 threads unless set), never on the event loop.
 */
import { checkBoolean, checkInteger, checkPath } from './arguments.js';
import { checkKey, findLibrary } from './artifact.js';
import { failure, typed } from './errors.js';
import { loadAddon } from './locate.js';
import { Model } from './model.js';

export type { Mode } from './arguments.js';
export type { Engine, EngineOptions, EngineRequest, EngineRun } from './engine.js';
export { RealizarError } from './errors.js';
export type { EngineEvent, EngineTokenLogprob } from './event_batch.js';
export type { Model } from './model.js';
export type { EngineStatistics, ModelInfo } from './native.js';
export type { Sampling } from './sampling.js';
export type { PrefillOptions, Session, SessionGenerateOptions, StepOptions } from './session.js';

/** How far opening a model has come. */
export interface OpenProgress {
  /** What is being done: addon (where it has to be built first), driver, file, code, memory, weights, repack, in this order. */
  readonly phase: string;
  /** 0 when the phase starts, total when it has ended; for weights bytes between them. */
  readonly done: number;
  /** Bytes of the file for weights, 1 for the others. */
  readonly total: number;
}

/** Which model file, on which device, and what is checked. */
export interface OpenOptions {
  /** The GGUF file that the artifact was compiled from: a path or a file: URL. */
  readonly model: string | URL;
  /** GPU ordinal; 0, the first, unless given. */
  readonly device?: number;
  /** Host target only: 0 runs blocks in order, another 32-bit seed permutes blocks and independent nodes. */
  readonly orderSeed?: number;
  /** Fill the scratch memory with NaN before every step, so that reading what no kernel wrote shows. */
  readonly poison?: boolean;
  /**
   * Compare the library with its SHA-256 in the artifact's manifest before it is loaded, so that a damaged one is refused and
   * not run. True unless given; it takes a few milliseconds.
   */
  readonly checkLibrary?: boolean;
  /** File of a public Ed25519 key in PEM: refuse an artifact whose manifest its owner has not signed. */
  readonly key?: string | URL;
  /** Called while the model is opened, on the event loop; never after the promise has settled. */
  readonly onProgress?: (progress: OpenProgress) => void;
}

const MAX_INT32 = 2 ** 31 - 1;
const MAX_UINT32 = 2 ** 32 - 1;

/**
 * Opens the artifact that `realizar-compile` wrote to a directory, and loads the model's weights to the device.
 * Rejects with a {@link RealizarError}: the artifact is missing or of another version, the GGUF file is not the one that
 * was compiled, there is no driver or device, memory is short.
 */
export async function openModel(artifactDirectory: string | URL, options: OpenOptions): Promise<Model> {
  if (typeof options !== 'object' || options === null)
    throw failure('INVALID_ARGUMENT', 'options must be an object with the path of the GGUF file as "model"');
  const directory = checkPath('artifactDirectory', artifactDirectory);
  const path = checkPath('options.model', options.model);
  const device = checkInteger('options.device', options.device ?? 0, MAX_INT32);
  const orderSeed = checkInteger('options.orderSeed', options.orderSeed ?? 0, MAX_UINT32);
  const poison = checkBoolean('options.poison', options.poison ?? false);
  const checkLibrary = checkBoolean('options.checkLibrary', options.checkLibrary ?? true);
  const key = checkKey('options.key', options.key);
  const progress = new Progress(options.onProgress);
  const library = findLibrary(directory, { checkLibrary, key });
  const addon = await loadAddon((done) => progress.report?.('addon', Number(done), 1));
  const native = await typed(addon.open(library, path, device, orderSeed, poison, progress.report));
  const model = new Model(native);
  if (progress.thrown) {
    await model.close();
    throw progress.thrown.error;
  }
  return model;
}

/** Hands reports on to the caller's function, and keeps what it throws for the promise: native code cannot. */
class Progress {
  thrown: { error: unknown } | undefined;
  readonly report: ((phase: string, done: number, total: number) => void) | undefined;

  constructor(onProgress: OpenOptions['onProgress']) {
    if (onProgress === undefined) return;
    if (typeof onProgress !== 'function') throw failure('INVALID_ARGUMENT', 'options.onProgress must be a function');
    this.report = (phase, done, total) => {
      if (this.thrown) return;
      try {
        onProgress({ phase, done, total });
      } catch (error) {
        this.thrown = { error };
      }
    };
  }
}
