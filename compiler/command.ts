/** The command line of realizar-compile: parse and call, nothing else. */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type CompileOptions, chooseTarget, compile, defaultFolder, type PlanOptions, planModel } from './compile.js';
import { UsageError } from './errors.js';
import { exitCodeOf } from './exit.js';
import { inspect } from './inspect.js';
import type { Quantization } from './model/safetensors/convert.js';
import { VERSION } from './package.js';
import { planJson } from './plan/plan.js';
import { readTuning, type Tuning } from './plan/tuning.js';
import { compileSummary, planTable } from './print.js';
import { type Progress, stderrProgress } from './progress.js';
import { privateKey, publicKey } from './signature.js';
import { write } from './stdout.js';
import { readMeasurements, tune, tuneFrom, writeCandidates } from './tune/tune.js';
import { type VerifyOptions, verifyArtifact } from './verify_artifact.js';

/** Exit codes: 0 done, 1 the command failed, 2 wrong usage. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv);
    return 0;
  } catch (error) {
    return exitCodeOf('realizar-compile', error);
  }
}

const MODEL = 'GGUF file, or folder with config.json and safetensors';

function program(): Command {
  const root = new Command('realizar-compile')
    .description(
      'Compiles a language model, GGUF or safetensors, to a library that replays one static CUDA graph a token.',
    )
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .argument('<model>', MODEL)
    .option('-o, --output <dir>', "artifact folder (default: generated/<the model's name>)")
    .option('--no-build', 'emit the source and stop')
    .option('--sanitize', 'host target under AddressSanitizer and UBSan')
    .option('--no-cache', 'compile the runtime even where it is compiled already, and keep nothing of it')
    .option('--tune', 'build candidates, time them on the GPU at hand, and compile with the fastest')
    .option(
      '--tuning <file>',
      'what --tune found: written by it, used by compiles (default: <dir>.tuning.json, if there)',
    )
    .option('--no-tuning', 'compile without it')
    .option('--candidates <dir>', 'with --tune: leave the candidates there to be timed elsewhere, and stop')
    .option('--measurements <file>', 'with --tune: take the times that were measured elsewhere')
    .option('--no-hash-weights', 'do not read the weights for their SHA-256; then verify --weights cannot compare them')
    .option('--sign <key>', 'sign the manifest with this private Ed25519 key (PEM) into manifest.sig')
    .option('--quiet', 'no progress on stderr')
    .action(async (model: string, options: RootFlags) => {
      checkFlags(options);
      const progress = options.quiet ? undefined : stderrProgress();
      const sign = options.sign === undefined ? undefined : privateKey(options.sign);
      if (!(await tuneFirst(model, options, progress))) return;
      const { output, build, sanitize, cache, hashWeights } = options;
      const tuning = tuningOf(model, options);
      const flags = { output, build, sanitize, cache, hashWeights, sign, tuning, progress };
      const result = await compile(model, { ...flags, ...planOptions(options) });
      if (!options.quiet) process.stderr.write(compileSummary(result, model));
    })
    .addHelpText('after', EXAMPLES);
  addPlanOptions(root);

  root
    .command('inspect')
    .description(
      'what a model or an artifact is: metadata, tensors, memory needed, kernels; also of what cannot be compiled',
    )
    .argument('<path>', 'GGUF file, folder of safetensors, or artifact folder')
    .option('--json', 'print JSON')
    .action((path: string, { json }: { json?: boolean }) => {
      const [inspection, text] = inspect(path);
      return write(json ? `${JSON.stringify(inspection, null, 2)}\n` : `${text}\n`);
    });

  const plan = root
    .command('plan')
    .description('the kernel sequence of one token, without building anything')
    .argument('<model>', MODEL)
    .option('--json', 'print the whole plan as JSON')
    .action((model: string, options: PlanFlags & { json?: boolean }) => {
      const planned = planModel(model, planOptions(options, 'cuda'));
      return write(options.json ? planJson(planned) : planTable(planned));
    });
  addPlanOptions(plan);

  root
    .command('verify')
    .description('is this artifact whole, unchanged, and what this compiler makes? Says what it compared')
    .argument('<dir>', 'artifact folder')
    .option('--model <file>', "emit again from this model, wherever it lies now, and not from the artifact's plan")
    .option('--weights', 'read all of the model, and compare its SHA-256 with the one of the compile')
    .option('--rebuild', 'build the source again, and compare the library and replay byte by byte')
    .option('--no-cache', 'with --rebuild: build the runtime too, even where it is compiled already')
    .option('--key <key>', 'check manifest.sig with this public Ed25519 key (PEM)')
    .action(async (dir: string, { key, ...options }: Omit<VerifyOptions, 'key'> & { key?: string }) => {
      const progress = process.stderr.isTTY ? stderrProgress() : undefined;
      return write(await verifyArtifact(dir, { ...options, key: key === undefined ? key : publicKey(key), progress }));
    });
  return root;
}

interface RootFlags extends PlanFlags, Pick<CompileOptions, 'output' | 'build' | 'sanitize' | 'cache' | 'hashWeights'> {
  quiet?: boolean;
  /** Path of a key. */
  sign?: string;
  tune?: boolean;
  /** false: --no-tuning. */
  tuning?: string | boolean;
  candidates?: string;
  measurements?: string;
}

/** What can be seen without the model. Errors: UsageError, and CompileError where there is no toolkit. */
function checkFlags(options: RootFlags): void {
  if (options.output === '') throw new UsageError('-o names no folder');
  const { kind } = chooseTarget(planOptions(options));
  if (options.sanitize && kind !== 'host')
    throw new UsageError('--sanitize is for the host target; GPUs have compute-sanitizer');
}

/** False where the candidates were all that was asked for. */
async function tuneFirst(model: string, options: RootFlags, progress: Progress | undefined): Promise<boolean> {
  const { tune: wanted, tuning, candidates, measurements } = options;
  if (!wanted && (candidates ?? measurements) !== undefined)
    throw new UsageError('--candidates and --measurements are for --tune');
  if (!wanted) return true;
  if (tuning === false) throw new UsageError('--tune writes a tuning file, --no-tuning uses none');
  const how = { ...planOptions(options), file: tuningFile(model, options), progress };
  if (measurements !== undefined) {
    tuneFrom(model, readMeasurements(measurements), how);
  } else if (candidates !== undefined) {
    const n = await writeCandidates(model, candidates, how);
    process.stderr.write(
      `${candidates}: ${n} candidates; time them with test/gpu/check.py --tune ${candidates} --model MODEL on the GPU's ` +
        `machine, then give its measurements.json to --tune --measurements\n`,
    );
    return false;
  } else {
    await tune(model, how);
  }
  return true;
}

const tuningFile = (model: string, { tuning, output }: RootFlags): string =>
  typeof tuning === 'string' ? tuning : `${output ?? defaultFolder(model)}.tuning.json`;

function tuningOf(model: string, options: RootFlags): Tuning | undefined {
  if (options.tuning === false) return undefined;
  const file = tuningFile(model, options);
  if (typeof options.tuning !== 'string' && !existsSync(file)) return undefined;
  const tuning = readTuning(file, VERSION, chooseTarget(planOptions(options)));
  if (!options.quiet)
    process.stderr.write(
      `tuning   ${file}: ${tuning.shapes.length} shapes of kernels as measured on ${tuning.device}\n`,
    );
  return tuning;
}

interface PlanFlags {
  target?: 'cuda' | 'host';
  arch?: string[];
  context?: number;
  quantize?: Quantization;
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
    )
    .addOption(
      new Option('--quantize <type>', 'of a safetensors folder: quantize its matrices when they are loaded').choices([
        'q8_0',
        'q4_0',
      ]),
    );
}

function planOptions({ target, arch, context, quantize }: PlanFlags, otherwise?: 'cuda'): PlanOptions {
  return { target: target ?? otherwise, archs: arch, context, quantize };
}

function integer(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('not a whole number');
  return Number(text);
}

const EXAMPLES = `
Examples:
  realizar-compile llama-3.2-1b-q8_0.gguf                     for the GPU of this machine's CUDA toolkit
  realizar-compile model.gguf --arch sm_80,sm_90a -o out      machine code for two GPU architectures
  realizar-compile Qwen3-0.6B --quantize q8_0                 a folder that transformers saved
  realizar-compile model.gguf --target host                   for the simulator: checks, not speed
  realizar-compile model.gguf --tune                          measure what is fastest on this GPU, and use it
  realizar-run out -p "Once upon a time"                      run it

The weights stay in the model's files: keep them beside the artifact.
Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage.
`;
