/** `realizar-run bench DIR`. */
import { Command } from 'commander';
import { write } from '../../common/stdout.js';
import type { LoadProgress } from '../../llm/index.js';
import { interruptible } from '../interrupt.js';
import { type ArtifactFlags, addArtifactOptions, defined, modelFile } from '../model.js';
import { writeJson } from '../output.js';
import { StatusLine } from '../status_line.js';
import { integer, integers } from '../values.js';
import { type BenchResult, measure } from './measure.js';
import { benchTable } from './table.js';

const MAX_POSITIONS = 2 ** 31 - 1;

interface Flags extends ArtifactFlags {
  readonly prompt?: number;
  readonly generate?: number;
  readonly depth?: number;
  readonly repetitions?: number;
  readonly sequences?: readonly number[];
  readonly json?: boolean;
}

export function benchCommand(): Command {
  const command = new Command('bench').description(
    "tokens a second, how near that is to this GPU's limit, and cold start",
  );
  return addArtifactOptions(command)
    .option('-p, --prompt <n>', 'tokens of the prompt (default: 512; 16 on the host target)', integer(1, MAX_POSITIONS))
    .option('-n, --generate <n>', 'tokens to generate (default: 128; 16 on the host target)', integer(2, MAX_POSITIONS))
    .option('-d, --depth <n>', 'positions in use before them (default: 0)', integer(0, MAX_POSITIONS))
    .option('-r, --repetitions <n>', 'medians of so many (default: 5; 1 on the host target)', integer(1, 1000))
    .option('-s, --sequences <list>', 'so many at once besides, as in 8,64: a row each', integers(1, 1024))
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action((dir: string, flags: Flags) => interruptible((signal) => bench(dir, flags, signal)));
}

async function bench(dir: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const { prompt, generate, depth, repetitions, sequences, device = 0, checkLibrary, key } = flags;
  const model = await modelFile(dir, flags.model);
  const sizes = defined({ prompt, generate, depth, repetitions, sequences });
  const status = new StatusLine();
  let result: BenchResult;
  try {
    const onLoading = (progress: LoadProgress) => status.showLoading(progress);
    const onStep = (what: string) => status.show(`measuring: ${what}`);
    result = await measure({
      dir,
      model,
      device,
      trust: defined({ checkLibrary, key }),
      sizes,
      signal,
      onLoading,
      onStep,
    });
  } finally {
    status.clear();
  }
  await (flags.json ? writeJson(result) : write(benchTable(result)));
}

const HELP = `
Examples:
  realizar-run bench generated/model                          tokens a second of a prompt and of an answer
  realizar-run bench generated/model -d 4096 --json           far into the context, for programs
  realizar-run bench generated/model -s 8,64                  and of many sequences at once

On the host target it measures the simulator, whose times say nothing of a GPU.
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
`;
