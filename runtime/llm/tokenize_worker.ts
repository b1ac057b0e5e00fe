/** A thread's module: tokenizes what it is sent, with the vocabulary of the model that its data names. */
import { parentPort, workerData } from 'node:worker_threads';
import { textSource } from '../text/open.js';
import { type EncodeOptions, Tokenizer } from '../text/tokenizer.js';

/** What the thread is sent. */
export interface Job {
  readonly text: string;
  /** `prompt`: the text comes from a chat template. */
  readonly how: EncodeOptions | 'prompt';
}

const tokenizer = new Tokenizer(textSource(workerData));
parentPort!.on('message', ({ text, how }: Job) => {
  const ids = how === 'prompt' ? tokenizer.encodePrompt(text) : tokenizer.encode(text, how);
  parentPort!.postMessage(Int32Array.from(ids));
});
