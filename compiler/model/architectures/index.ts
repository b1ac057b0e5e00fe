/** The architectures that this compiler supports. To add one, write a file like its neighbours and name it here. */
import type { Architecture } from './architecture.js';
import { llama } from './llama.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

export const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map(
  [llama, qwen2, qwen3].map((architecture) => [architecture.name, architecture]),
);
