/**
 * Tokenizes off the event loop what takes long: a megabyte of prose takes half a second, one of nothing but spaces three. Short
 * texts, which take milliseconds, are not worth the way to a thread.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { RealizarError, STATUS } from '../addon/errors.js';
import { packageRoot } from '../addon/locate.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { Job } from './tokenize_worker.js';

/** UTF-16 units of a text that is tokenized where it is. */
const SHORT = 1 << 14;
/** The compiled module, also where this one runs as TypeScript: threads of Node 20 run JavaScript alone. */
const MODULE = 'dist/runtime/llm/tokenize_worker.js';

interface Waiting {
  resolve(ids: number[]): void;
  reject(error: unknown): void;
}

export class Encoder {
  #worker: Worker | undefined;
  /** In the order in which they were asked for, which is that of the answers. */
  #waiting: Waiting[] = [];

  /** `path`: the GGUF file that the tokenizer is from. */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly path: string,
  ) {}

  async encode(text: string, how: Job['how']): Promise<number[]> {
    if (text.length > SHORT) return this.#ask({ text, how });
    return how === 'prompt' ? this.tokenizer.encodePrompt(text) : this.tokenizer.encode(text, how);
  }

  /** Ends the thread; what it was asked for is rejected with the reason. */
  async close(reason: unknown): Promise<void> {
    const worker = this.#worker;
    this.#fail(reason);
    await worker?.terminate();
  }

  #ask(job: Job): Promise<number[]> {
    const worker = this.#start();
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      worker.postMessage(job);
    });
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(join(packageRoot(), MODULE), { workerData: this.path });
    worker.on('message', (ids: Int32Array) => {
      this.#waiting.shift()?.resolve([...ids]);
      if (this.#waiting.length === 0) worker.unref(); // only a text keeps Node running
    });
    worker.on('error', (error) => {
      const message = `${this.path}: the thread that tokenizes long texts failed: ${error.message}`;
      this.#fail(new RealizarError(STATUS.BAD_VOCABULARY, 'BAD_VOCABULARY', message, { cause: error }));
    });
    this.#worker = worker;
    return worker;
  }

  #fail(error: unknown): void {
    this.#worker = undefined;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
