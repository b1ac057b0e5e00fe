/** The tuning file: what measuring has chosen for each shape of kernel, on one kind of device, for later compiles. */
import { existsSync, readFileSync } from 'node:fs';
import type { Changes, Shape, TunedShape } from '../../runtime/artifact_folder/tuned_shape.js';
import { CompileError } from '../../runtime/common/errors.js';
import { type KernelConfig, kernelFor } from '../kernels/index.js';
import type { Target } from '../target/target.js';

export const TUNING_VERSION = 4;

const SECTIONS = ['projection', 'alone', 'coResident', 'attention'] as const;

/** The device that measured, as replay names it. */
export interface Device {
  readonly device: string;
  readonly multiprocessors: number;
  /** "9.0"; "0.0" of the simulator. */
  readonly compute_capability: string;
}

export interface Tuning extends Device {
  readonly version: typeof TUNING_VERSION;
  readonly compilerVersion: string;
  readonly target: { readonly kind: 'cuda' | 'host'; readonly archs: readonly string[] };
  /** In the order of the plan's kernels. */
  readonly shapes: readonly TunedShape[];
}

/** undefined for kernels that have nothing to tune. */
export function shapeOf(config: KernelConfig): Shape | undefined {
  const { tuned } = kernelFor(config);
  return tuned && Object.fromEntries(['kind' as const, ...tuned].map((field) => [field, config[field]]));
}

export const sameShape = (a: Shape, b: Shape): boolean => JSON.stringify(a) === JSON.stringify(b);

export function changeTarget(target: Target, changes: Changes): Target {
  const { projection, attention } = target;
  return {
    ...target,
    projection: {
      ...projection,
      ...changes.projection,
      alone: { ...projection.alone, ...changes.alone },
      coResident: projection.coResident && { ...projection.coResident, ...changes.coResident },
    },
    attention: { ...attention, ...changes.attention },
  };
}

/** The target for the kernel of a shape: the one given, with what was tuned for it. */
export type TargetOf = (shape: Shape | undefined) => Target;

export function tunedTarget(target: Target, tuning: Pick<Tuning, 'shapes'> | undefined): TargetOf {
  return (shape) => {
    const tuned = shape && tuning?.shapes.find((known) => sameShape(known.shape, shape));
    return tuned ? changeTarget(target, tuned.changes) : target;
  };
}

/** What a kernel is planned with. */
interface Tunable {
  readonly target: Target;
  readonly targetOf: TargetOf;
}

export const tunedFor = (config: KernelConfig, { targetOf }: Tunable): Target => targetOf(shapeOf(config));

/** The configuration for the target with what was tuned for its shape, which is the same for every target. */
export function tunedConfig<Config extends KernelConfig>(
  planning: Tunable,
  configure: (target: Target) => Config,
): Config {
  const untuned = configure(planning.target);
  const target = tunedFor(untuned, planning);
  return target === planning.target ? untuned : configure(target);
}

export const tuningJson = (tuning: Tuning): string => `${JSON.stringify(tuning, null, 2)}\n`;

/** Reads a file for this compiler and target. Errors name the file, what it is for, and what to do. */
export function readTuning(path: string, compilerVersion: string, target: Target): Tuning {
  const refuse = (problem: string): never => {
    throw new CompileError(
      `tuning file ${path}: ${problem}; measure again with --tune, or compile with --no-tuning or another --tuning FILE`,
    );
  };
  if (!existsSync(path)) return refuse('there is no such file');
  let tuning: Tuning;
  try {
    tuning = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return refuse(`not JSON: ${(error as Error).message}`);
  }
  if (tuning?.version !== TUNING_VERSION)
    refuse(`version ${JSON.stringify(tuning?.version)}, this compiler reads version ${TUNING_VERSION}`);
  if (tuning.compilerVersion !== compilerVersion)
    refuse(`measured with realizar-compile ${tuning.compilerVersion}, this is ${compilerVersion}`);
  const named = ({ kind, archs }: Tuning['target']) => (kind === 'host' ? 'the host target' : archs.join(','));
  if (named(tuning.target) !== named(target))
    refuse(`measured on ${tuning.device} for ${named(tuning.target)}, this compile is for ${named(target)}`);
  if (!Array.isArray(tuning.shapes) || !tuning.shapes.every(isTunedShape)) refuse('its shapes are damaged');
  return tuning;
}

function isTunedShape(entry: unknown): entry is TunedShape {
  const { shape, changes } = (entry ?? {}) as Partial<TunedShape>;
  return (
    typeof shape === 'object' &&
    typeof changes === 'object' &&
    Object.entries(changes).every(
      ([section, numbers]) =>
        SECTIONS.some((known) => known === section) && Object.values(numbers).every(Number.isFinite),
    )
  );
}
