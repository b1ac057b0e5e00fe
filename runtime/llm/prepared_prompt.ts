import type { Reading } from './answer/reader.js';
import type { ContinueOptions } from './types.js';

/** A prompt, and how what follows it is read; as it is unless said. */
export interface PreparedPrompt {
  readonly tokens: number[];
  readonly reading?: Reading | undefined;
}

/** How a prompt is continued whose answers are read so. */
export interface ReadContinueOptions extends ContinueOptions {
  readonly reading?: Reading | undefined;
}
