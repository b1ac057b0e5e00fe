/** `realizar-compile verify`: is an artifact what this compiler makes, whole and unchanged? Says what it has compared. */
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { damages } from '../runtime/artifact_folder/damages.js';
import { type Manifest, noArtifact, readManifestBytes } from '../runtime/artifact_folder/manifest.js';
import { FILES } from '../runtime/artifact_folder/names.js';
import { isTable, shown } from '../runtime/artifact_folder/shape.js';
import { signatureProblem } from '../runtime/artifact_folder/signature.js';
import { CompileError } from '../runtime/common/errors.js';
import { VERSION } from '../runtime/common/package.js';
import { planModel } from './compile.js';
import { emit } from './emit/index.js';
import type { EmittedFiles } from './emit/render.js';
import { describeArtifact, inputsSha256 } from './manifest.js';
import type { Plan } from './plan/plan.js';
import { readPlan } from './plan/plan_file.js';
import { type Progress, silent } from './progress.js';
import { rebuildProblems } from './verify_build.js';
import { weightsProblems } from './verify_weights.js';

export interface VerifyOptions {
  /** Plan this model again, in place of taking the artifact's plan. */
  readonly model?: string | undefined;
  /** Compare all bytes of the model's files. */
  readonly weights?: boolean | undefined;
  /** Build the library and replay again and compare them. */
  readonly rebuild?: boolean | undefined;
  /** false: the runtime too, and not as it was compiled before. */
  readonly cache?: boolean | undefined;
  /** The public key of who signed it. */
  readonly key?: KeyObject | undefined;
  readonly progress?: Progress | undefined;
}

/** What was compared, a line each. Errors: CompileError that lists everything that is wrong. */
export async function verifyArtifact(folder: string, options: VerifyOptions = {}): Promise<string> {
  const { model, key, progress = silent } = options;
  const read = readManifestBytes(folder);
  if (!read) throw noArtifact(folder);
  const { manifest } = read;
  const signature = key && signatureProblem(folder, read.bytes, key);
  if (signature) throw wrong(folder, [signature]); // then nothing that the manifest says counts
  const problems = damages(folder, manifest);
  if (manifest.compilerVersion !== VERSION)
    problems.push(`made by realizar-compile ${shown(manifest.compilerVersion).slice(1, -1)}, this is ${VERSION}`);
  if (problems.length > 0) throw wrong(folder, problems);
  const made = readPlan(folder);
  const plan = model === undefined ? made : planAgain(manifest, made, model);
  const files = emitAgain(folder, plan);
  problems.push(...sourceProblems(folder, manifest, files, model), ...manifestProblems(manifest, plan, files));
  if (problems.length === 0 && options.rebuild)
    problems.push(...(await rebuildProblems(folder, { manifest, files, cache: options.cache ?? true, progress })));
  if (options.weights) problems.push(...(await weightsProblems(folder, { manifest, plan, model, progress })));
  if (problems.length > 0) throw wrong(folder, problems);
  return report(folder, manifest, options);
}

const wrong = (folder: string, problems: readonly string[]): CompileError =>
  new CompileError(
    `${folder} is not what it should be:\n${problems.map((p) => `  ${p}`).join('\n')}\ncompile the model again`,
  );

function report(folder: string, manifest: Manifest, { model, weights, rebuild, key }: VerifyOptions): string {
  const { library } = manifest;
  const count = Object.keys(manifest.files).length;
  const built = library === undefined ? undefined : `${library} and ${FILES.replay}`;
  const lines = [
    ['manifest', 'unchanged by its own hash, and what the plan says'],
    ['files', `${count} files unchanged since ${built ? 'the build' : 'they were emitted'}, by the manifest's hashes`],
    ['source', `what realizar-compile ${VERSION} emits for ${model ?? 'its plan'}`],
    ['library', libraryLine(built, rebuild)],
    ['weights', weights ? 'all bytes of the model are those of the compile' : 'not read; --weights reads them'],
    ['signature', key ? 'made over this manifest by the owner of the key' : 'not looked at; --key checks it'],
  ];
  return `${folder}: as it was made\n${lines.map(([what, how]) => `  ${what!.padEnd(10)} ${how}\n`).join('')}`;
}

function libraryLine(built: string | undefined, rebuild: boolean | undefined): string {
  if (built === undefined) return 'none: it was emitted with --no-build';
  return rebuild ? `${built} are what this source builds` : `${built} not built again; --rebuild does`;
}

/** Errors: CompileError where the plan is none that could have been compiled. */
function emitAgain(folder: string, plan: Plan): EmittedFiles {
  try {
    return emit(plan);
  } catch (error) {
    throw new CompileError(
      `${join(folder, FILES.plan)}: nothing can be emitted for it: ${(error as Error).message}; compile the model again`,
    );
  }
}

function sourceProblems(folder: string, manifest: Manifest, files: EmittedFiles, model: string | undefined): string[] {
  return [...files].flatMap(([name, content]) => {
    if (!Object.hasOwn(manifest.files, name)) return [`${name}: not in ${FILES.manifest}`];
    const found = readFileSync(join(folder, name), 'utf8');
    return found === content ? [] : [`${name}: not what this compiler emits for ${model ?? 'its plan'}`];
  });
}

/** What the manifest says other than a compile of this plan would. */
function manifestProblems(manifest: Manifest, plan: Plan, emitted: EmittedFiles): string[] {
  const { cuda, sanitize, library, quantize, tuning, files } = manifest;
  const built = library !== undefined;
  const inputs = inputsSha256(emitted, { sanitize, toolkit: cuda?.toolkit, built });
  const { filesSha256 } = manifest.model;
  const expected = describeArtifact(plan, { inputs, sanitize, cuda, built, quantize, tuning, filesSha256 }, files);
  const all = new Set([...Object.keys(expected), ...Object.keys(manifest)] as (keyof Manifest)[]);
  return [...all].flatMap((field) => {
    if (field === 'manifestSha256' || isSame(manifest[field], expected[field])) return [];
    return [
      `${FILES.manifest}: "${field}" is ${shown(manifest[field])}, and not what a compile of the plan would write`,
    ];
  });
}

function isSame(a: unknown, b: unknown): boolean {
  if (!isTable(a) || !isTable(b)) return JSON.stringify(a) === JSON.stringify(b);
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => isSame(a[name], b[name]));
}

/** A model is the same whatever its file is called. */
function planAgain(manifest: Manifest, { target: { gpu }, programs, leftOut }: Plan, model: string): Plan {
  const { target, archs, contextLength, quantize, tuning, name } = manifest;
  const asked = [...programs, ...leftOut].flatMap(({ rows }) => (rows > 1 ? [rows] : []));
  return planModel(model, {
    target,
    ...(target === 'cuda' && { archs, gpu }),
    context: contextLength,
    quantize,
    ...(asked.length > 0 ? { programs: ['all'], rows: asked } : { programs: ['token'] }),
    tuning: tuning && { shapes: tuning },
    name,
  });
}
