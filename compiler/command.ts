/** The command line of realizar-compile: parse and call, nothing else. */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { privateKey, publicKey } from '../runtime/artifact_folder/signature.js';
import { UsageError } from '../runtime/common/errors.js';
import { exitCodeOf } from '../runtime/common/exit.js';
import { refuseMisspelt, teach } from '../runtime/common/hints.js';
import { VERSION } from '../runtime/common/package.js';
import { say } from '../runtime/common/stderr.js';
import { write } from '../runtime/common/stdout.js';
import type { Quantization } from '../runtime/files/safetensors/convert.js';
import { findCuda } from '../runtime/toolchain/programs.js';
import { chooseGpu, type GpuChoice } from './choose_gpu.js';
import { type CompileOptions, chooseTarget, compile, defaultFolder, type PlanOptions, planModel } from './compile.js';
import { gpusHere } from './gpus_here.js';
import { inspect } from './inspect.js';
import { requireModel, requireThere } from './paths.js';
import { planJson } from './plan/plan.js';
import { readTuning, type Tuning } from './plan/tuning.js';
import { compileSummary, gpuTable, planTable } from './print.js';
import { type Progress, stderrProgress } from './progress.js';
import { readMeasurements, tune, tuneFrom, writeCandidates } from './tune/tune.js';
import { type VerifyOptions, verifyArtifact } from './verify_artifact.js';

/** Exit codes: 0 done, 1 the command failed, 2 wrong usage. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    const root = program();
    teach(root, argv.slice(2));
    await root.parseAsync(argv);
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
      refuseMisspelt(root, model);
      requireModel(model);
      checkFlags(options);
      const progress = options.quiet ? undefined : stderrProgress();
      const sign = options.sign === undefined ? undefined : privateKey(options.sign);
      if (options.target !== 'host')
        await progress?.stage('target', (detail) => detail(gpuChoice(options)?.said ?? 'a GPU'));
      if (!(await tuneFirst(model, options, progress))) return;
      const { output, build, sanitize, cache, hashWeights } = options;
      const tuning = tuningOf(model, options);
      const flags = { output, build, sanitize, cache, hashWeights, sign, tuning, progress };
      const result = await compile(model, { ...flags, ...planOptions(options) });
      if (!options.quiet) say(compileSummary(result, model));
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
    .addHelpText('after', INSPECT_HELP)
    .action((path: string, { json }: { json?: boolean }) => {
      requireThere(path);
      const [inspection, text] = inspect(path, () => planOptions({}, 'cuda'));
      return write(json ? `${JSON.stringify(inspection, null, 2)}\n` : `${text}\n`);
    });

  const plan = root
    .command('plan')
    .description('the kernel sequence of one token, without building anything')
    .argument('<model>', MODEL)
    .option('--json', 'print the whole plan as JSON')
    .addHelpText('after', PLAN_HELP)
    .action((model: string, options: PlanFlags & { json?: boolean }) => {
      requireModel(model);
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
    .addHelpText('after', VERIFY_HELP)
    .action(async (dir: string, { key, ...options }: Omit<VerifyOptions, 'key'> & { key?: string }) => {
      requireThere(dir);
      const progress = process.stderr.isTTY ? stderrProgress() : undefined;
      return write(await verifyArtifact(dir, { ...options, key: key === undefined ? key : publicKey(key), progress }));
    });

  root
    .command('gpus')
    .description('the GPUs of this machine, and those that --gpu knows by name')
    .action(() => write(gpuTable(gpusHere())));
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
  const { output, tune: wanted, tuning, candidates, measurements } = options;
  if (output === '') throw new UsageError('-o names no folder');
  if (!wanted && (candidates ?? measurements) !== undefined)
    throw new UsageError('--candidates and --measurements are for --tune');
  if (wanted && tuning === false) throw new UsageError('--tune writes a tuning file, --no-tuning uses none');
  const { kind } = chooseTarget(planOptions(options));
  if (options.sanitize && kind !== 'host')
    throw new UsageError('--sanitize is for the host target; GPUs have compute-sanitizer');
}

/** False where the candidates were all that was asked for. */
async function tuneFirst(model: string, options: RootFlags, progress: Progress | undefined): Promise<boolean> {
  const { tune: wanted, candidates, measurements } = options;
  if (!wanted) return true;
  const how = { ...planOptions(options), file: tuningFile(model, options), progress };
  if (measurements !== undefined) {
    tuneFrom(model, readMeasurements(measurements), how);
  } else if (candidates !== undefined) {
    const n = await writeCandidates(model, candidates, how);
    say(
      `${candidates}: ${n} candidates; time them with test/gpu/check.py --tune ${candidates} --model MODEL on the GPU's ` +
        'machine, then give its measurements.json to --tune --measurements',
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
    say(`tuning   ${file}: ${tuning.shapes.length} shapes of kernels as measured on ${tuning.device}`);
  return tuning;
}

interface PlanFlags {
  target?: 'cuda' | 'host';
  arch?: string[];
  gpu?: string;
  context?: number;
  quantize?: Quantization;
  programs?: string[];
  rows?: number[];
}

function addPlanOptions(command: Command): void {
  command
    .addOption(
      new Option('--target <target>', 'what to compile for (default: cuda where nvcc is found)').choices([
        'cuda',
        'host',
      ]),
    )
    .option('--gpu <name>', 'plan for this GPU, "RTX 4090" (default: the one here, or else an H100)')
    .option('--arch <list>', "GPU architectures, comma separated (default: the GPU's)", (list) => list.split(','))
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
    )
    .option(
      '--programs <list>',
      'what it runs: token, one token a step; batch, a few rows of any sequences; prompt, many rows; all (default: all, on the host token)',
      (list) => list.split(','),
    )
    .option(
      '--rows <list>',
      "rows of batch programs (8 to 64) and prompt programs (72 to 2048), in eights (default: the target's choice)",
      (list) => list.split(',').map(integer),
    );
}

function planOptions(flags: PlanFlags, otherwise?: 'cuda'): PlanOptions {
  const { context, quantize, programs, rows } = flags;
  const { archs, gpu } = gpuChoice(flags, otherwise) ?? { archs: flags.arch };
  return { target: flags.target ?? otherwise, archs, gpu, context, quantize, programs, rows };
}

const choices = new WeakMap<PlanFlags, GpuChoice>();

/** Once for a command. undefined for the host target, and where nvcc is missed, which compiling says. */
function gpuChoice(flags: PlanFlags, otherwise?: 'cuda'): GpuChoice | undefined {
  const known = choices.get(flags);
  if (known) return known;
  const target = flags.target ?? otherwise;
  if (target === 'host') {
    if (flags.gpu === undefined) return undefined;
    throw new UsageError('--gpu is for GPUs; the host target is none');
  }
  const cuda = findCuda();
  if (target === undefined && !cuda) return undefined;
  const choice = chooseGpu(flags, cuda?.toolkit);
  choices.set(flags, choice);
  return choice;
}

function integer(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('not a whole number');
  return Number(text);
}

const EXIT_CODES = `Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage: what can be told from the command line alone; Ctrl-C
and SIGTERM end it by that signal, 130 and 143 to a shell.`;

const INSPECT_HELP = `
Examples:
  realizar-compile inspect model.gguf                         metadata, tensors, memory, kernels; why it cannot be compiled
  realizar-compile inspect --json generated/model             an artifact, for programs

${EXIT_CODES}
`;

const PLAN_HELP = `
Examples:
  realizar-compile plan model.gguf                            a line a kernel
  realizar-compile plan model.gguf --arch sm_80 --json        for another GPU, for programs

${EXIT_CODES}
`;

const VERIFY_HELP = `
Examples:
  realizar-compile verify generated/model                     is it whole, and what this compiler makes of its plan?
  realizar-compile verify generated/model --model model.gguf  is it what this compiler makes of this model?

${EXIT_CODES}
`;

const EXAMPLES = `
Examples:
  realizar-compile llama-3.2-1b-q8_0.gguf                     for the GPU of this machine, or else for an H100
  realizar-compile model.gguf --gpu "RTX 4090" -o out         for a GPU that is not here
  realizar-compile model.gguf --arch sm_80,sm_90a -o out      machine code for two GPU architectures
  realizar-compile Qwen3-0.6B --quantize q8_0                 a folder that transformers saved
  realizar-compile model.gguf --target host                   for the simulator: checks, not speed
  realizar-compile model.gguf --tune                          measure what is fastest on this GPU, and use it
  realizar-run out -p "Once upon a time"                      run it

The weights stay in the model's files: keep them beside the artifact.
${EXIT_CODES}
Environment: CUDACXX, CUDA_HOME and CUDA_PATH say where nvcc is, CXX which C++ compiler is taken; REALIZAR_CACHE_DIR where
the compiled runtime is kept; TMPDIR where is built.
`;
