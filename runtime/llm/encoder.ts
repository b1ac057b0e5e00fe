/**
 * Tokenizes off the event loop what takes long: a megabyte of prose takes half a second, one of nothing but spaces three. Short
 * texts, which take milliseconds, are not worth the way to a thread.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { failure, RealizarError, STATUS } from '../addon/errors.js';
import { packageRoot } from '../addon/locate.js';
import { CompileError } from '../common/errors.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { Answer, Job } from './tokenize_worker.js';

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

  /** Rejects with INVALID_ARGUMENT for a text that this vocabulary has no tokens for, or not within its bounds. */
  async encode(text: string, how: Job['how']): Promise<number[]> {
    return text.length > SHORT ? this.#ask({ text, how }) : this.encodeHere(text, how);
  }

  /** The same at once, on this thread. */
  encodeHere(text: string, how: Job['how']): number[] {
    try {
      return how === 'prompt' ? this.tokenizer.encodePrompt(text) : this.tokenizer.encode(text, how);
    } catch (error) {
      throw error instanceof CompileError ? failure('INVALID_ARGUMENT', error.message) : error;
    }
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
    const worker = new Worker(join(packageRoot(), MODULE), {
      workerData: { path: this.path, rows: this.tokenizer.rows },
      execArgv: [], // those of a program that is given as text are refused
    });
    worker.on('message', (answer: Answer) => {
      if (this.#worker !== worker) return; // given up: whoever ends the thread waits for that
      const waiting = this.#waiting.shift();
      if ('failed' in answer) waiting?.reject(failure('INVALID_ARGUMENT', answer.failed));
      else waiting?.resolve([...answer]);
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
