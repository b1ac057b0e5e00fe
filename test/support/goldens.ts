/** The golden models: tiny GGUF files with the logits that an independent engine computed in float32 from their weights. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readF32 } from './nmse.js';

const FOLDER = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

export const GOLDEN_NAMES: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.gguf'))
  .map((file) => file.slice(0, -'.gguf'.length));

export interface Golden {
  /** Path of the GGUF file. */
  readonly model: string;
  /** Fed from position 0. */
  readonly tokens: readonly number[];
  /** The token with the largest logit after each. */
  readonly greedy: readonly number[];
  readonly vocabSize: number;
  /** [tokens.length, vocabSize] */
  readonly logits: Float32Array;
}

export function readGolden(name: string): Golden {
  const { tokens, greedy, shape } = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));
  const logits = readF32(join(FOLDER, `${name}.logits.f32`));
  return { model: join(FOLDER, `${name}.gguf`), tokens, greedy, vocabSize: shape[1], logits };
}
