/** The options of a command line that say how text is generated; names as llama.cpp has them. */
import type { Command } from 'commander';
import type { GenerateOptions } from '../llm/index.js';
import { defined } from './model.js';
import { integer, number, seed } from './values.js';

const MAX_INT32 = 2 ** 31 - 1;
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** What {@link addGenerateOptions} adds. */
export interface GenerateFlags {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repeatPenalty?: number;
  readonly seed?: number | bigint;
  readonly stop?: readonly string[];
}

export function addGenerateOptions(command: Command): Command {
  return command
    .option('-n, --max-tokens <n>', 'at most so many (default: what the context has room for)', integer(0, MAX_INT32))
    .option('-t, --temperature <t>', '0: always the most probable token (default: 0)', number(0, MAX_FLOAT))
    .option('--top-k <k>', 'draw from the k most probable tokens (default: all)', integer(0, MAX_INT32))
    .option('--top-p <p>', 'draw from the fewest that have this probability together (default: 1)', number(0, 1))
    .option('--min-p <p>', 'and have at least this share of the most probable one (default: 0)', number(0, 1))
    .option('--repeat-penalty <r>', 'divides logits of tokens used lately (default: 1)', number(1e-6, MAX_FLOAT))
    .option('-s, --seed <n>', 'the same seed draws the same text (default: another each time)', seed)
    .option('--stop <text>', 'end before this text; can be given several times', collect);
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export function generateOptions(flags: GenerateFlags): GenerateOptions {
  const { maxTokens, temperature, topK, topP, minP, repeatPenalty, seed, stop } = flags;
  return defined({ maxTokens, temperature, topK, topP, minP, repeatPenalty, seed, stop });
}
