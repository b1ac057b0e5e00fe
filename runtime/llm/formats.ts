/** The thread that makes masks, for one model: started when the first format is given. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { failure } from '../addon/errors.js';
import { packageRoot } from '../addon/locate.js';
import type { Format } from '../format/format.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { Answer, Job } from './format_worker.js';

/** The compiled module, also where this one runs as TypeScript: threads of Node 20 run JavaScript alone. */
const MODULE = 'dist/runtime/llm/format_worker.js';
/** Milliseconds after which a thread that answers nothing is given up, and what it was asked for fails. */
export const PATIENCE = 30_000;

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  /** In the order in which they were asked, which is that of the answers. */
  readonly waiting: Waiting[];
  timer: NodeJS.Timeout | undefined;
}

/** A text under way. */
export interface FormattedText {
  /** Tokens that may come first. */
  readonly first: Promise<Uint32Array>;
  /** The token has come; which may follow? */
  after(token: number): Promise<Uint32Array>;
  end(): void;
}

export class Formats {
  #thread: Thread | undefined;
  #texts = 0;

  /** `path`: the GGUF file that the tokenizer is from. */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly path: string,
  ) {}

  /** Rejects with INVALID_ARGUMENT where no text can be held to it, with the reason. */
  async check(format: Format): Promise<void> {
    await this.#ask(this.#start(), { kind: 'check', format });
  }

  begin(format: Format, continues: boolean): FormattedText {
    const thread = this.#start();
    const text = this.#texts++;
    const maskOf = async (job: Job) => {
      const answer = await this.#ask(thread, job);
      if ('mask' in answer) return answer.mask;
      throw new Error(`the thread of formats answered ${job.kind} without a mask`);
    };
    const first = maskOf({ kind: 'begin', text, format, continues });
    first.catch(() => {}); // who asks for it hears of it
    return {
      first,
      after: (token) => maskOf({ kind: 'token', text, token }),
      end: () => void this.#ask(thread, { kind: 'end', text }).catch(() => {}),
    };
  }

  /** Ends the thread; what it was asked for is rejected with the reason. */
  async close(reason: unknown): Promise<void> {
    const thread = this.#thread;
    if (thread) this.#giveUp(thread, reason);
    await thread?.worker.terminate();
  }

  #ask(thread: Thread, job: Job): Promise<Answer> {
    if (this.#thread !== thread) return Promise.reject(gone(this.path));
    try {
      thread.worker.postMessage(job);
    } catch (error) {
      return Promise.reject(failure('INVALID_ARGUMENT', `the format cannot be copied: ${(error as Error).message}`));
    }
    thread.worker.ref();
    thread.timer ??= this.#patience(thread);
    return new Promise((resolve, reject) => thread.waiting.push({ resolve, reject }));
  }

  #start(): Thread {
    if (this.#thread) return this.#thread;
    const worker = new Worker(join(packageRoot(), MODULE), {
      workerData: { path: this.path, rows: this.tokenizer.rows },
      execArgv: [], // those of a program that is given as text are refused
    });
    const thread: Thread = { worker, waiting: [], timer: undefined };
    worker.on('message', (answer: Answer) => {
      if (this.#thread !== thread) return; // given up: whoever ends the thread waits for that
      clearTimeout(thread.timer);
      const waiting = thread.waiting.shift();
      if ('failed' in answer) waiting?.reject(failure('INVALID_ARGUMENT', answer.failed));
      else waiting?.resolve(answer);
      thread.timer = thread.waiting.length > 0 ? this.#patience(thread) : undefined;
      if (thread.waiting.length === 0) worker.unref(); // only a text keeps Node running
    });
    worker.on('error', (error) => this.#giveUp(thread, gone(this.path, error)));
    this.#thread = thread;
    return thread;
  }

  #patience(thread: Thread): NodeJS.Timeout {
    return setTimeout(() => {
      const message = `a format took more than ${PATIENCE / 1000} s: make it simpler`;
      this.#giveUp(thread, failure('INVALID_ARGUMENT', message));
      void thread.worker.terminate();
    }, PATIENCE);
  }

  #giveUp(thread: Thread, error: unknown): void {
    clearTimeout(thread.timer);
    thread.timer = undefined;
    if (this.#thread === thread) this.#thread = undefined;
    for (const { reject } of thread.waiting.splice(0)) reject(error);
  }
}

const gone = (path: string, cause?: Error) => {
  const why = cause ? `: ${cause.message}` : '';
  return new Error(`${path}: the thread that holds texts to their formats has ended${why}`, { cause });
};
