/** SHA-256 of a model's files, all of their bytes. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BuildError, CompileError } from '../runtime/common/errors.js';

/** Large reads, small enough that what else waits for the event loop does not notice. */
const PIECE = 4 << 20;

export interface Hashing {
  readonly signal?: AbortSignal | undefined;
  /** Bytes hashed so far, of all files. */
  readonly onProgress?: (bytes: number) => void;
}

/** One a file, in order. Errors: CompileError with what the operating system says, and the signal's reason. */
export async function hashFiles(paths: readonly string[], { signal, onProgress }: Hashing = {}): Promise<string[]> {
  const hashes: string[] = [];
  let total = 0;
  const report = (bytes: number) => {
    signal?.throwIfAborted();
    total += bytes;
    onProgress?.(total);
  };
  for (const path of paths) {
    try {
      hashes.push(await hashFile(path, report));
    } catch (error) {
      signal?.throwIfAborted();
      throw new CompileError(`cannot read ${path}: ${(error as Error).message}`);
    }
  }
  return hashes;
}

async function hashFile(path: string, report: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  try {
    for await (const piece of file.createReadStream({ highWaterMark: PIECE, autoClose: false })) {
      report((piece as Buffer).length);
      hash.update(piece);
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** The hashes of a model's files, taken while something else goes on. */
export class WeightsHash {
  readonly #abandoned = new AbortController();
  readonly #hashes: Promise<string[]>;
  readonly #total: number;
  #show: (done: string) => void = () => {};

  /** `total`: bytes of all files. */
  constructor(paths: readonly string[], total: number, interrupted?: AbortSignal) {
    this.#total = total;
    interrupted?.addEventListener('abort', () => this.abandon());
    this.#hashes = hashFiles(paths, {
      signal: this.#abandoned.signal,
      onProgress: (bytes) => this.#show(`${Math.floor((100 * bytes) / this.#total)} %`),
    });
    this.#hashes.catch(() => {}); // finish() has it
  }

  /** `show` hears how far it is from now on. */
  finish(show: (done: string) => void = () => {}): Promise<string[]> {
    this.#show = show;
    return this.#hashes;
  }

  abandon(): void {
    this.#abandoned.abort(new BuildError('interrupted'));
  }
}
