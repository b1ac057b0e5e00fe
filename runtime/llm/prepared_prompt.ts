import type { Reading } from './answer/reader.js';

/** A prompt, and how what follows it is read; as it is unless said. */
export interface PreparedPrompt {
  readonly tokens: number[];
  readonly reading?: Reading | undefined;
}
