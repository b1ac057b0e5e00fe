/** The command line of realizar-compile: parse and call, nothing else. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type CompileOptions, compile, type PlanOptions, planModel } from './compile.js';
import { CompileError } from './errors.js';
import { inspect } from './inspect.js';
import { VERSION } from './package.js';
import { planJson } from './plan/plan.js';
import { compileSummary, planTable } from './print.js';
import { stderrProgress } from './progress.js';
import { verifyArtifact } from './verify_artifact.js';

/** Exit codes: 0 done, 1 the command failed, 2 wrong usage. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv);
    return 0;
  } catch (error) {
    if (isUsage(error)) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof CompileError)) throw error;
    process.stderr.write(`realizar-compile: ${error.message}\n`);
    return 1;
  }
}

const isUsage = (error: unknown): error is { exitCode: number } =>
  error instanceof Error && error.name === 'CommanderError';

const print = (text: string) => void process.stdout.write(text);

function program(): Command {
  const root = new Command('realizar-compile')
    .description('Compiles a GGUF language model to a library that replays one static CUDA graph a token.')
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .argument('<model>', 'GGUF file')
    .option('-o, --output <dir>', "artifact folder (default: generated/<model file's stem>)")
    .option('--no-build', 'emit the source and stop')
    .option('--sanitize', 'host target under AddressSanitizer and UBSan')
    .option('--no-cache', 'compile the runtime even where it is compiled already, and keep nothing of it')
    .option('--quiet', 'no progress on stderr')
    .action(async (model: string, options: CompileOptions & PlanFlags & { quiet?: boolean }) => {
      const progress = options.quiet ? undefined : stderrProgress();
      const result = await compile(model, { ...options, ...planOptions(options), progress });
      if (!options.quiet) process.stderr.write(compileSummary(result, model));
    })
    .addHelpText('after', EXAMPLES);
  addPlanOptions(root);

  root
    .command('inspect')
    .description(
      'what a model or an artifact is: metadata, tensors, memory needed, kernels; also of what cannot be compiled',
    )
    .argument('<path>', 'GGUF file, or artifact folder')
    .option('--json', 'print JSON')
    .action((path: string, { json }: { json?: boolean }) => {
      const [inspection, text] = inspect(path);
      print(json ? `${JSON.stringify(inspection, null, 2)}\n` : `${text}\n`);
    });

  const plan = root
    .command('plan')
    .description('the kernel sequence of one token, without building anything')
    .argument('<model>', 'GGUF file')
    .option('--json', 'print the whole plan as JSON')
    .action((model: string, options: PlanFlags & { json?: boolean }) => {
      const planned = planModel(model, planOptions(options, 'cuda'));
      print(options.json ? planJson(planned) : planTable(planned));
    });
  addPlanOptions(plan);

  root
    .command('verify')
    .description('is this artifact what this compiler makes, whole and unchanged?')
    .argument('<dir>', 'artifact folder')
    .option('--model <file>', 'also: is it what the compiler makes of this GGUF file?')
    .action((dir: string, { model }: { model?: string }) => print(verifyArtifact(dir, model)));
  return root;
}

interface PlanFlags {
  target?: 'cuda' | 'host';
  arch?: string[];
  context?: number;
}

function addPlanOptions(command: Command): void {
  command
    .addOption(
      new Option('--target <target>', 'what to compile for (default: cuda where nvcc is found)').choices([
        'cuda',
        'host',
      ]),
    )
    .option('--arch <list>', 'GPU architectures, comma separated (default: sm_90a)', (list) => list.split(','))
    .option(
      '--context <n>',
      'positions of the KV cache (default: what the model was trained for, at most 8192)',
      integer,
    );
}

function planOptions({ target, arch, context }: PlanFlags, otherwise?: 'cuda'): PlanOptions {
  return { target: target ?? otherwise, archs: arch, context };
}

function integer(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('not a whole number');
  return Number(text);
}

const EXAMPLES = `
Examples:
  realizar-compile llama-3.2-1b-q8_0.gguf                     for the GPU of this machine's CUDA toolkit
  realizar-compile model.gguf --arch sm_80,sm_90a -o out      machine code for two GPU architectures
  realizar-compile model.gguf --target host                   for the simulator: checks, not speed
  realizar-run out -p "Once upon a time"                      run it

The weights stay in the GGUF file: keep it beside the artifact.
Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage.
`;
