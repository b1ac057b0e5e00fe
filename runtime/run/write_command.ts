/** `realizar-run DIR -p TEXT`: continues a text. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { refuseMisspelt } from '../common/hints.js';
import { say } from '../common/stderr.js';
import { write, writeWriting } from '../common/stdout.js';
import type { Generation, GenerationResult, LanguageModel, Piece } from '../llm/index.js';
import { addFormatOptions, type FormatFlags, formatOf } from './format_options.js';
import { addGenerateOptions, type GenerateFlags, generateOptions } from './generate_options.js';
import { interruptible } from './interrupt.js';
import { logprobLine } from './logprobs.js';
import { addModelOptions, defined, type ModelFlags, withModel } from './model.js';
import { writeJson } from './output.js';
import { describeResult } from './result.js';
import { TerminalText } from './terminal_text.js';
import { integer } from './values.js';

interface Flags extends ModelFlags, GenerateFlags, FormatFlags {
  readonly prompt?: string;
  readonly echo?: boolean;
  readonly ignoreEos?: boolean;
  readonly logprobs?: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** Makes the program itself, without a command's name, continue texts. */
export function addWriting(program: Command): Command {
  addModelOptions(program).option('-p, --prompt <text>', 'the text to continue; - reads it from stdin');
  return addFormatOptions(addGenerateOptions(program))
    .optionsGroup('Length:')
    .option('--ignore-eos', 'go on where the model wants to end: its end tokens are banned')
    .optionsGroup('Output:')
    .option('--echo', 'print the prompt before what follows it')
    .option('--logprobs <n>', 'a line a token, with its log probability and n alternatives', integer(0, 100))
    .option('-v, --verbose', 'on stderr, when it has ended: counts and times')
    .addOption(new Option('--json', 'print one JSON object when it has ended').conflicts(['echo', 'verbose']))
    .action((dir: string, flags: Flags) => {
      refuseMisspelt(program, dir);
      if (flags.prompt === undefined)
        program.error(`error: no prompt: give one with -p, or chat: realizar-run chat ${dir}`);
      const prompt = flags.prompt === '-' ? readFileSync(0, 'utf8') : flags.prompt;
      return interruptible((signal) =>
        withModel(dir, flags, { signal }, (model) => continueText(model, prompt, flags, signal)),
      );
    });
}

async function continueText(model: LanguageModel, prompt: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const more = defined({ logprobs: flags.logprobs, ignoreEos: flags.ignoreEos, format: formatOf(flags), signal });
  const generation = model.generate(prompt, { ...generateOptions(flags), ...more });
  if (flags.json) return printJson(generation);
  if (flags.echo) await writeWriting(prompt);
  const shown = process.stdout.isTTY ? new TerminalText() : undefined;
  const textOf = ({ text }: Piece) => shown?.push(text) ?? text;
  const put = (piece: Piece) =>
    flags.logprobs === undefined ? writeWriting(textOf(piece)) : write(logprobLine(piece));
  for await (const piece of generation) await put(piece);
  const result = await generation.result;
  if (flags.logprobs === undefined) await write('\n');
  if (flags.verbose) say(describeResult(result));
}

async function printJson(generation: Generation): Promise<void> {
  const pieces: Piece[] = [];
  for await (const piece of generation) pieces.push(piece);
  const result: GenerationResult = await generation.result;
  const logprobs = pieces.filter(({ logprob }) => logprob !== undefined);
  await writeJson({ ...result, ...(logprobs.length > 0 && { logprobs }) });
}
