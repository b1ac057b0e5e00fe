/** The options of a command line that say how text is generated; names as llama.cpp has them. */
import type { Command } from 'commander';
import type { GenerateOptions } from '../llm/index.js';
import { defined } from './model.js';
import { integer, logitBias, number, seed } from './values.js';

const MAX_INT32 = 2 ** 31 - 1;
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** What {@link addGenerateOptions} adds. */
export interface GenerateFlags
  extends Omit<GenerateOptions, 'ignoreEos' | 'logprobs' | 'signal' | 'stop' | 'logitBias'> {
  readonly stop?: readonly string[];
  readonly logitBias?: readonly (readonly [token: number, bias: number])[];
}

/** Options of other groups follow after `optionsGroup`. */
export function addGenerateOptions(command: Command): Command {
  return command
    .optionsGroup('Length:')
    .option('-n, --max-tokens <n>', 'at most so many (default: what the context has room for)', integer(0, MAX_INT32))
    .option('--stop <text>', 'end before this text; can be given several times', collect<string>)
    .optionsGroup('Sampling, in this order:')
    .option('--logit-bias <id=value>', BIAS, (text, before: GenerateFlags['logitBias']) =>
      collect(logitBias(text), before),
    )
    .option('--repeat-penalty <r>', 'divides logits of tokens used lately (default: 1)', number(1e-6, MAX_FLOAT))
    .option(
      '--presence-penalty <p>',
      'taken from logits of tokens used lately (default: 0)',
      number(-MAX_FLOAT, MAX_FLOAT),
    )
    .option(
      '--frequency-penalty <p>',
      'the same for each time that they were (default: 0)',
      number(-MAX_FLOAT, MAX_FLOAT),
    )
    .option('--repeat-last-n <n>', 'how many tokens "lately" is; -1: all (default: 64)', integer(-1, MAX_INT32))
    .option('--top-k <k>', 'draw from the k most probable tokens (default: all)', integer(0, MAX_INT32))
    .option('--top-p <p>', 'draw from the fewest that have this probability together (default: 1)', number(0, 1))
    .option('--min-p <p>', 'and have at least this share of the most probable one (default: 0)', number(0, 1))
    .option('-t, --temperature <t>', '0: always the most probable token (default: 0)', number(0, MAX_FLOAT))
    .option('-s, --seed <n>', 'the same seed draws the same text (default: another each time)', seed);
}

const BIAS = 'added to the logit of token id; -inf bans it; can be given several times (--json prints ids)';

const collect = <T>(value: T, before: readonly T[] = []): readonly T[] => [...before, value];

export function generateOptions(flags: GenerateFlags): GenerateOptions {
  const { maxTokens, stop, seed, temperature, topK, topP, minP } = flags;
  const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN, logitBias } = flags;
  const penalties = { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN, logitBias };
  return defined({ maxTokens, stop, seed, temperature, topK, topP, minP, ...penalties });
}
