/** The pipeline, one line a stage. */

import { createHash, type KeyObject } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { damages } from '../runtime/artifact_folder/damages.js';
import { type Manifest, manifestText, readManifest } from '../runtime/artifact_folder/manifest.js';
import { FILES, fileName, libraryFile } from '../runtime/artifact_folder/names.js';
import { signArtifact } from '../runtime/artifact_folder/signature.js';
import type { Changes } from '../runtime/artifact_folder/tuned_shape.js';
import { CompileError, UsageError } from '../runtime/common/errors.js';
import { interruptible } from '../runtime/common/interrupt.js';
import { VERSION } from '../runtime/common/package.js';
import { modelStem } from '../runtime/files/parts.js';
import { readModel } from '../runtime/files/read.js';
import type { Quantization } from '../runtime/files/safetensors/convert.js';
import { checkText, type TextReport } from '../runtime/text/check.js';
import { namingFullDisk } from '../runtime/toolchain/full_disk.js';
import { machineOf, machineOfCompiler, THIS_MACHINE } from '../runtime/toolchain/machine.js';
import { findCuda, requireBuildTools } from '../runtime/toolchain/programs.js';
import { ArtifactWriter, writeModelPath } from './artifact.js';
import { build } from './build.js';
import { emit } from './emit/index.js';
import { buildGraph } from './graph/build.js';
import { programLabel } from './ir/programs.js';
import { inputsSha256, manifestOf } from './manifest.js';
import { modelSpec } from './model/load.js';
import type { ModelSpec } from './model/spec.js';
import { runPasses } from './passes/index.js';
import { programsFor } from './plan/choose_programs.js';
import { lower } from './plan/lower.js';
import type { Plan } from './plan/plan.js';
import { changeTarget, type Tuning, tunedTarget } from './plan/tuning.js';
import { type Progress, silent } from './progress.js';
import { DEFAULT_ARCH } from './target/architectures.js';
import type { Gpu } from './target/gpus.js';
import { cudaTarget, hostTarget, type Target } from './target/target.js';
import { requireToolkit } from './toolkit.js';
import { modelFiles, withWeights } from './weights.js';
import { WeightsHash } from './weights_hash.js';

/** Positions of the KV cache where nobody asks for another number. */
const DEFAULT_CONTEXT = 8192;

export interface PlanOptions {
  /** Default: cuda where nvcc is found; otherwise an error that names --target host. */
  readonly target?: 'cuda' | 'host' | undefined;
  /** nvcc architectures, default sm_90a. */
  readonly archs?: readonly string[] | undefined;
  /** What to plan for; default the largest part of the first architecture. */
  readonly gpu?: Gpu | undefined;
  /** Positions of the KV cache, default the smaller of the model's and 8192. */
  readonly context?: number | undefined;
  /** What --tune has found out for this target. */
  readonly tuning?: Pick<Tuning, 'shapes'> | undefined;
  /** Of the target's description, for all kernels. */
  readonly changes?: Changes | undefined;
  /** The type that matrices of a safetensors folder get when they are loaded; default: as they are. */
  readonly quantize?: Quantization | undefined;
  /** Programs that the artifact has, of token, batch, prompt, all; default all on a GPU, on the host token, which is always there. */
  readonly programs?: readonly string[] | undefined;
  /** Rows of the batch programs, 8 to 64, and of the prompt programs, 72 to 2048, in eights; default the target's choice. */
  readonly rows?: readonly number[] | undefined;
  /** In place of the model file's stem. */
  readonly name?: string | undefined;
}

export interface CompileOptions extends PlanOptions {
  /** Artifact folder, default generated/<the model file's stem, or its folder's name>. */
  readonly output?: string | undefined;
  /** false: emit the source and stop. */
  readonly build?: boolean | undefined;
  /** Host target under AddressSanitizer and UBSan. */
  readonly sanitize?: boolean | undefined;
  /** false: compile the runtime too, and keep nothing of it for other compiles. */
  readonly cache?: boolean | undefined;
  /** false: the weights are not read, and the manifest has no hash of them. */
  readonly hashWeights?: boolean | undefined;
  /** The manifest gets a signature with this private key. */
  readonly sign?: KeyObject | undefined;
  readonly progress?: Progress | undefined;
}

export interface CompileResult {
  readonly folder: string;
  readonly plan: Plan;
  readonly manifest: Manifest;
  /** The folder already held this artifact, so nothing was built. */
  readonly upToDate: boolean;
  /** What realizar-run can do with it. */
  readonly text: TextReport;
}

/** Where the artifact of a model goes if nobody says. */
export function defaultFolder(model: string): string {
  const stem = modelStem(model);
  const name = fileName(stem);
  // Of names that lose characters, others may lose them, too.
  const apart = name === stem ? '' : `-${createHash('sha256').update(stem).digest('hex').slice(0, 8)}`;
  return join('generated', `${name}${apart}`);
}

/** Model file or folder -> plan. Reads metadata only. */
export function planModel(path: string, options: PlanOptions): Plan {
  const spec = modelSpec(readModel(path, options.quantize));
  return planSpec({ ...spec, name: options.name ?? spec.name }, options);
}

function planSpec(spec: ModelSpec, options: PlanOptions): Plan {
  const contextLength = chooseContext(spec, options.context);
  const primitive = buildGraph(spec, contextLength);
  const graph = runPasses(primitive);
  const target = changeTarget(chooseTarget(options), options.changes ?? {});
  const targetOf = tunedTarget(target, options.tuning);
  const { programs, leftOut } = programsFor(primitive, options, target);
  const manyRows = programs[0] && { programs, graph: runPasses(primitive, programs[0]) };
  return lower(spec, graph, target, { contextLength, compilerVersion: VERSION, targetOf, manyRows, leftOut });
}

/** Model file -> artifact folder. Errors: CompileError and its kinds; the folder is then as it was. */
export async function compile(path: string, options: CompileOptions = {}): Promise<CompileResult> {
  const progress = options.progress ?? silent;
  const { spec, text } = await progress.stage('read', (detail) => {
    const file = readModel(path, options.quantize);
    const read = modelSpec(file);
    detail(`${read.architecture}, ${read.layers.length} layers, ${read.file.bytes} bytes`);
    return { spec: read, text: checkText(path) };
  });
  const plan = await progress.stage('plan', (detail) => {
    const planned = planSpec(spec, options);
    detail(planDetail(planned));
    return planned;
  });
  const files = emit(plan);
  const folder = options.output ?? defaultFolder(spec.file.path);
  const sanitize = options.sanitize ?? false;
  const wantsBuild = options.build ?? true;
  if (sanitize && plan.target.kind !== 'host')
    throw new UsageError('--sanitize is for the host target; GPUs have compute-sanitizer');
  const cuda = plan.target.kind === 'cuda' && wantsBuild ? requireCuda() : undefined;
  if (cuda) requireToolkit(cuda, plan.target.archs);
  const inputs = inputsSha256(files, { sanitize, toolkit: cuda?.toolkit, built: wantsBuild });
  const wantsHash = wantsBuild && (options.hashWeights ?? true);
  const known = upToDate(folder, inputs);
  if (known) {
    const manifest = await withWeights({ folder, manifest: known, spec, wantsHash, progress });
    writeModelPath(folder, spec.file.path);
    if (options.sign) signArtifact(folder, options.sign);
    return { folder, plan, manifest, upToDate: true, text };
  }
  if (wantsBuild) requireBuildTools(); // before anything is written

  const manifest = await interruptible(async (interrupted) => {
    const writer = new ArtifactWriter(folder);
    const weights = wantsHash ? new WeightsHash(modelFiles(spec), spec.file.bytes, interrupted) : undefined;
    try {
      await progress.stage('emit', (detail) => {
        writer.write(files);
        detail(`${files.size} files`);
      });
      if (wantsBuild)
        await progress.stage('build', async (detail) => {
          const runtime = await build({
            source: writer.folder,
            products: [libraryFile(spec.name), FILES.replay],
            into: writer.folder,
            target: plan.target.kind,
            sanitize,
            cuda,
            cache: options.cache ?? true,
            detail,
            interrupted,
          });
          chmodSync(join(writer.folder, FILES.replay), 0o755);
          await weights?.finish((done) => detail(`hashing the weights, ${done}; --no-hash-weights leaves that out`));
          detail(`${libraryFile(spec.name)}, ${runtime}${forAnother(join(writer.folder, libraryFile(spec.name)))}`);
        });
      const made = manifestOf(plan, writer.folder, {
        inputs,
        sanitize,
        cuda,
        built: wantsBuild,
        quantize: options.quantize,
        tuning: options.tuning?.shapes,
        filesSha256: await weights?.finish(),
      });
      writeModelPath(writer.folder, spec.file.path);
      writer.write(new Map([[FILES.manifest, manifestText(made)]]));
      if (options.sign) signArtifact(writer.folder, options.sign);
      writer.commit();
      return made;
    } catch (error) {
      weights?.abandon();
      writer.discard();
      throw namingFullDisk(error, folder, 'choose another folder with -o');
    }
  });
  return { folder, plan, manifest, upToDate: false, text };
}

/** "13 nodes, 8 kernels, context 512; programs token, prompt_512". */
function planDetail({ programs, leftOut, kernels, model }: Plan): string {
  const names = programs.filter(({ rows }) => rows > 0).map(programLabel);
  const others = names.length > 1 ? `; programs ${names.join(', ')}` : '';
  const without = leftOut[0] ? `; no ${leftOut.map(programLabel).join(', ')}: ${leftOut[0].why}` : '';
  return `${programs[0].nodes.length} nodes, ${kernels.length} kernels, context ${model.contextLength}${others}${without}`;
}

/** Undefined too where the manifest is damaged: then it is made anew. */
function upToDate(folder: string, inputs: string): Manifest | undefined {
  let manifest: Manifest | undefined;
  try {
    manifest = readManifest(folder);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
  }
  if (manifest?.inputsSha256 !== inputs || damages(folder, manifest).length > 0) return undefined;
  return isForThatMachine(folder, manifest) ? manifest : undefined;
}

/** Is its library for the machine that CXX is a compiler for? */
function isForThatMachine(folder: string, { library }: Manifest): boolean {
  const wanted = library === undefined ? undefined : machineOfCompiler();
  return wanted === undefined || machineOf(join(folder, library!)) === wanted;
}

/** Said of a library that does not run here. */
function forAnother(library: string): string {
  const machine = machineOf(library);
  return machine === undefined || machine === THIS_MACHINE ? '' : `, for ${machine} by ${process.env.CXX ?? 'c++'}`;
}

export function chooseTarget({ target, archs, gpu }: PlanOptions): Target {
  if (target === 'host') {
    if (archs !== undefined) throw new UsageError('--arch names GPU architectures; the host target has none');
    return hostTarget();
  }
  if (target === undefined) requireCuda();
  return cudaTarget(archs ?? [DEFAULT_ARCH], gpu);
}

function requireCuda() {
  const cuda = findCuda();
  if (cuda) return cuda;
  throw new CompileError(
    'nvcc not found (looked in CUDACXX, CUDA_HOME, CUDA_PATH, /usr/local/cuda and PATH): install the CUDA toolkit to compile for ' +
      'a GPU, or use --target host for the simulator, or --target cuda --no-build to emit the source alone',
  );
}

function chooseContext({ contextLength, file }: ModelSpec, asked: number | undefined): number {
  if (asked === undefined) return Math.min(contextLength, DEFAULT_CONTEXT);
  if (Number.isSafeInteger(asked) && asked >= 1 && asked <= contextLength) return asked;
  const message = `${file.path}: --context ${asked}: the model was trained for ${contextLength} positions; choose 1 to ${contextLength}`;
  throw asked > contextLength ? new CompileError(message) : new UsageError(message);
}
