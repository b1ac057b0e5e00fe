/** Measurements of candidates -> the fastest for each shape. Depends on its arguments alone. */

import type { Shape, TunedShape } from '../../runtime/artifact_folder/tuned_shape.js';
import { CompileError } from '../../runtime/common/errors.js';
import type { Plan } from '../plan/plan.js';
import { type Device, sameShape, shapeOf } from '../plan/tuning.js';
import { type Candidate, UNTUNED } from './candidates.js';

/** One `replay --profile --json` of one candidate. */
export interface Measurement {
  readonly candidate: string;
  readonly profile: Device & {
    readonly depth: number;
    readonly kinds: readonly { readonly name: string; readonly us: number }[];
  };
}

/** Less than this part of a shape's time may be noise, and changes nothing. */
const WORTHWHILE = 0.02;

interface Measured extends Candidate {
  readonly plan: Plan;
}

/** Shapes where a candidate was faster than the default, in the order of the untuned plan's kernels. */
export function chooseFastest(all: readonly Measured[], measurements: readonly Measurement[]): TunedShape[] {
  const times = new Map(all.map((candidate) => [candidate.name, timesOf(candidate, all, measurements)]));
  return times.get(UNTUNED)!.flatMap(({ shape, us: untunedUs }): TunedShape[] => {
    let best: TunedShape | undefined;
    for (const { name, changes } of all) {
      const us = times.get(name)!.find((other) => sameShape(other.shape, shape))?.us ?? Number.POSITIVE_INFINITY;
      if (us < (best?.us ?? untunedUs * (1 - WORTHWHILE))) best = { shape, changes, untunedUs, us };
    }
    return best ? [best] : [];
  });
}

/** The device of all measurements. */
export function deviceOf(measurements: readonly Measurement[]): Device {
  const texts = measurements.map(({ profile: { device, multiprocessors, compute_capability } }) =>
    JSON.stringify({ device, multiprocessors, compute_capability }),
  );
  const different = [...new Set(texts)];
  if (different.length === 1) return JSON.parse(different[0]!);
  throw new CompileError(
    different.length === 0
      ? 'there are no measurements'
      : `the measurements are of several devices: ${different.join(', ')}; measure all candidates on one`,
  );
}

/** Microseconds of each shape's nodes, over all depths. */
function timesOf(
  candidate: Measured,
  all: readonly Measured[],
  measurements: readonly Measurement[],
): { shape: Shape; us: number }[] {
  const depthsOf = (name: string) =>
    measurements.filter((m) => m.candidate === name).map(({ profile }) => profile.depth);
  const own = measurements.filter((m) => m.candidate === candidate.name);
  const expected = [...new Set(all.flatMap(({ name }) => depthsOf(name)))].sort((a, b) => a - b);
  const found = depthsOf(candidate.name).sort((a, b) => a - b);
  if (expected.length === 0 || found.join() !== expected.join())
    throw new CompileError(
      `candidate ${candidate.name} was measured at depths ${found.join() || 'none'}, others at ${expected.join() || 'none'}: measure all of them`,
    );
  const times: { shape: Shape; us: number }[] = [];
  for (const { profile } of own)
    for (const { name, us } of profile.kinds) {
      const kernel = candidate.plan.kernels.find(({ symbol }) => symbol === `realizar_${name}`);
      if (!kernel)
        throw new CompileError(
          `candidate ${candidate.name} has no kernel ${name}: the measurements are of another plan`,
        );
      const shape = shapeOf(kernel.config);
      if (!shape) continue;
      const known = times.find((other) => sameShape(other.shape, shape));
      if (known) known.us += us;
      else times.push({ shape, us });
    }
  return times;
}
