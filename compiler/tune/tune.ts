/** realizar-compile --tune: builds candidates, has them measured, and writes what was fastest to the tuning file. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { FILES } from '../../runtime/artifact_folder/names.js';
import { CompileError } from '../../runtime/common/errors.js';
import { interruptible } from '../../runtime/common/interrupt.js';
import { VERSION } from '../../runtime/common/package.js';
import { chooseTarget, compile, type PlanOptions, planModel } from '../compile.js';
import { type GpusHere, gpusHere } from '../gpus_here.js';
import { type Plan, planJson } from '../plan/plan.js';
import { TUNING_VERSION, type Tuning, tuningJson } from '../plan/tuning.js';
import { type Progress, silent } from '../progress.js';
import { archFor, runsOn, whyNot } from '../target/architectures.js';
import type { Target } from '../target/target.js';
import { type Candidate, candidates, UNTUNED } from './candidates.js';
import { chooseFastest, deviceOf, type Measurement } from './search.js';

/** Runs one candidate at a depth; what it returns is checked here. */
export type Measure = (folder: string, model: string, depth: number) => Promise<Measurement['profile']>;

export interface TuneOptions extends Omit<PlanOptions, 'tuning' | 'changes'> {
  /** Where the winners go. */
  readonly file: string;
  /** Folder for the candidates' artifacts; default: one that is removed in the end. */
  readonly candidates?: string | undefined;
  /** Default: `replay --profile --json` of the candidate's artifact. */
  readonly measure?: Measure | undefined;
  readonly progress?: Progress | undefined;
}

/** Positions filled before a token is timed, as far as the context has room. */
const DEPTHS = [0, 1024, 4096];

/** Shapes of the token program are tuned; others follow how its weights lie. */
const TUNED = { programs: ['token'], rows: undefined };

interface Planned extends Candidate {
  readonly plan: Plan;
}

/** The candidates whose plans differ from all before them; those that do not fit the target are left out. */
export function planCandidates(model: string, options: Omit<PlanOptions, 'tuning' | 'changes'>): Planned[] {
  const seen = new Set<string>();
  return candidates(chooseTarget(options)).flatMap((candidate): Planned[] => {
    let plan: Plan;
    try {
      plan = planModel(model, { ...options, changes: candidate.changes, ...TUNED });
    } catch (error) {
      if (candidate.name !== UNTUNED && error instanceof CompileError) return [];
      throw error;
    }
    const text = planJson(plan);
    if (seen.has(text)) return [];
    seen.add(text);
    return [{ ...candidate, plan }];
  });
}

/** Builds candidates into a folder, with the list of what is to be measured: candidates.json. Returns their number. */
export async function writeCandidates(model: string, folder: string, options: TuneOptions): Promise<number> {
  const progress = options.progress ?? silent;
  const planned = planCandidates(model, options);
  mkdirSync(folder, { recursive: true });
  for (const [i, { name, changes }] of planned.entries())
    await progress.stage('build', async (detail) => {
      detail(`candidate ${i + 1} of ${planned.length}: ${name}`);
      const { target, archs, gpu, context, quantize } = options; // not the progress: one line for each is enough
      const output = join(folder, name);
      const build = { target, archs, gpu, context, quantize, changes, ...TUNED };
      await compile(model, { ...build, output, hashWeights: false });
    });
  const list = { model: basename(model), depths: depthsFor(planned[0]!.plan), candidates: planned.map((c) => c.name) };
  writeFileSync(join(folder, 'candidates.json'), `${JSON.stringify(list, null, 2)}\n`);
  return planned.length;
}

const depthsFor = ({ model }: Plan): number[] => DEPTHS.filter((depth) => depth + 1 < model.contextLength);

/** Measurements made elsewhere: what test/gpu/check.py --tune wrote. */
export function readMeasurements(path: string): Measurement[] {
  try {
    const measurements: unknown = JSON.parse(readFileSync(path, 'utf8'))?.measurements;
    if (!Array.isArray(measurements)) throw new Error('expected an object with a list "measurements"');
    return measurements.map((m: unknown) => checkMeasurement(m as Measurement));
  } catch (error) {
    throw new CompileError(`measurements ${path}: ${(error as Error).message}`);
  }
}

/** Measurements -> tuning file, with no device at hand. */
export function tuneFrom(model: string, measurements: readonly Measurement[], options: TuneOptions): Tuning {
  const { kind, archs } = chooseTarget(options);
  const planned = planCandidates(model, options);
  const unknown = measurements.find(({ candidate }) => !planned.some(({ name }) => name === candidate));
  if (unknown)
    throw new CompileError(
      `candidate ${unknown.candidate} was measured and is none of this model, target and compiler: write the candidates again`,
    );
  const tuning: Tuning = {
    version: TUNING_VERSION,
    compilerVersion: VERSION,
    target: { kind, archs },
    ...deviceOf(measurements),
    shapes: chooseFastest(planned, measurements),
  };
  writeFileSync(options.file, tuningJson(tuning));
  return tuning;
}

/** Builds, measures and chooses on this machine. */
export async function tune(model: string, options: TuneOptions): Promise<Tuning> {
  const progress = options.progress ?? silent;
  if (options.measure === undefined) requireGpu(chooseTarget(options));
  const measure = options.measure ?? replayProfile;
  const folder = options.candidates ?? mkdtempSync(join(tmpdir(), 'realizar-tune-'));
  return interruptible(async (interrupted) => {
    try {
      await writeCandidates(model, folder, options);
      const planned = planCandidates(model, options);
      const measurements: Measurement[] = [];
      await progress.stage('measure', async (detail) => {
        for (const { name } of planned)
          for (const depth of depthsFor(planned[0]!.plan)) {
            interrupted.throwIfAborted();
            detail(`${name} at depth ${depth}`);
            const profile = await measure(join(folder, name), resolve(model), depth);
            measurements.push(checkMeasurement({ candidate: name, profile }));
          }
        detail(`${planned.length} candidates`);
      });
      return tuneFrom(model, measurements, options);
    } finally {
      if (options.candidates === undefined) rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** Before anything is built: is there a GPU, and does the first, which replay takes, run the target's code? Errors: CompileError. */
export function requireGpu({ kind, archs }: Target, here = gpusHere): void {
  const problem = kind === 'host' ? undefined : whyNotMeasured(archs, here());
  if (problem === undefined) return;
  throw new CompileError(
    `--tune measures on the GPU at hand, and ${problem}: run it on a machine with one, or leave the ` +
      'candidates for one with --candidates DIR and give its times to --measurements',
  );
}

function whyNotMeasured(archs: readonly string[], here: GpusHere): string | undefined {
  if ('problem' in here) return `there is none here (${here.problem})`;
  const { name, capability } = here.gpus[0]!;
  if (runsOn(archs, capability)) return undefined;
  return `the first here is ${name} (${archFor(capability) ?? whyNot(capability)}), where code for ${archs.join(',')} does not run`;
}

async function replayProfile(folder: string, model: string, depth: number): Promise<Measurement['profile']> {
  const args = ['--model', model, '--profile', '--json', '--depth', String(depth)];
  try {
    const { stdout } = await promisify(execFile)(join(folder, FILES.replay), args, { maxBuffer: 1 << 28 });
    return JSON.parse(stdout);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new CompileError(`measuring ${folder} at depth ${depth}: ${stderr?.trim() || message}`);
  }
}

function checkMeasurement(measurement: Measurement): Measurement {
  const { candidate, profile } = measurement ?? {};
  const sound =
    typeof candidate === 'string' &&
    typeof profile?.device === 'string' &&
    Number.isFinite(profile.multiprocessors) &&
    typeof profile.compute_capability === 'string' &&
    Number.isFinite(profile.depth) &&
    Array.isArray(profile.kinds) &&
    profile.kinds.every(({ name, us }) => typeof name === 'string' && Number.isFinite(us));
  if (!sound)
    throw new CompileError(`the measurement of candidate ${candidate} is not what replay --profile --json prints`);
  return measurement;
}
