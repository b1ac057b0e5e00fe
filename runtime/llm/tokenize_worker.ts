/** A thread's module: tokenizes what it is sent, with the vocabulary of the model that its data names. */
import { parentPort, workerData } from 'node:worker_threads';
import { CompileError } from '../common/errors.js';
import { textSource } from '../text/open.js';
import { type EncodeOptions, Tokenizer } from '../text/tokenizer.js';

/** What the thread is sent. */
export interface Job {
  readonly text: string;
  /** `prompt`: the text comes from a chat template. */
  readonly how: EncodeOptions | 'prompt';
}

/** What comes back: the ids, or why this text has none. */
export type Answer = Int32Array | { readonly failed: string };

const { path, rows }: { path: string; rows: number } = workerData;
const tokenizer = new Tokenizer(textSource(path), { rows });

function answer({ text, how }: Job): Answer {
  try {
    return Int32Array.from(how === 'prompt' ? tokenizer.encodePrompt(text) : tokenizer.encode(text, how));
  } catch (error) {
    if (error instanceof CompileError) return { failed: error.message };
    throw error;
  }
}

parentPort!.on('message', (job: Job) => parentPort!.postMessage(answer(job)));
