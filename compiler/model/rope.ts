/** How fast the pairs of a head rotate, and how metadata says so: llama.cpp's keys and meaning. */
import type { RopeScaling, RopeSpec, Yarn } from './spec.js';

/** Radians a position, of each pair, before the division by the file's factors. */
export function ropeFrequencies({ dimensions, base, scaling, statedFactors }: RopeSpec): number[] {
  const { scale = 1, yarn } = scaling ?? {};
  return Array.from({ length: dimensions / 2 }, (_, pair) => {
    const frequency = base ** ((-2 * pair) / dimensions);
    const kept = yarn ? yarnRamp(yarn, dimensions, base, pair) : 0;
    return (frequency * (scale * (1 - kept) + kept)) / (statedFactors?.short[pair] ?? 1);
  });
}

/** The factors that a context of so many positions is computed with. */
export function ropeAt(rope: RopeSpec, context: number): RopeSpec {
  const { longFactors, statedFactors, ...others } = rope;
  const { short, long } = statedFactors ?? {};
  const stated = long && context > long.beyond ? long.factors : short;
  const rest = { ...others, ...(stated && { statedFactors: { short: stated } }) };
  return longFactors && context > longFactors.beyond ? { ...rest, factors: longFactors.weight } : rest;
}

/** 1 for the pairs that rotate often in the original context, 0 for those that hardly do, a line between. */
function yarnRamp(yarn: Yarn, dimensions: number, base: number, pair: number) {
  const { originalContext, betaFast, betaSlow, unrounded } = yarn;
  const pairOfRotations = (rotations: number) =>
    (dimensions * Math.log(originalContext / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const [first, last] = [pairOfRotations(betaFast), pairOfRotations(betaSlow)];
  const low = Math.max(0, unrounded ? first : Math.floor(first));
  const high = Math.min(dimensions - 1, unrounded ? last : Math.ceil(last));
  return 1 - Math.min(1, Math.max(0, (pair - low) / Math.max(0.001, high - low)));
}

export const isNeutral = ({ scale, yarn, magnitude }: RopeScaling): boolean => scale === 1 && !yarn && magnitude === 1;
