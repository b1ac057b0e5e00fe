/** What --tune tries: each number of the target's description that shapes kernels, at a few other values. */
import type { Target } from '../plan/target.js';
import type { Changes } from '../plan/tuning.js';

export interface Candidate {
  /** A file name: "untuned", "projection-warps-8". */
  readonly name: string;
  readonly changes: Changes;
}

/** The candidate that the others are compared with. */
export const UNTUNED = 'untuned';

type Section = 'projection' | 'attention';

/** Factors of the default; those that leave no whole number of at least 1 are not tried. */
const FACTORS: readonly { section: Section; field: string; by: readonly number[] }[] = [
  { section: 'projection', field: 'warps', by: [0.5, 0.75] },
  { section: 'projection', field: 'slotBytes', by: [0.5, 2] },
  { section: 'projection', field: 'ringBytes', by: [0.5, 1.25] },
  { section: 'projection', field: 'earlyBytes', by: [0.5, 1.5] },
  { section: 'attention', field: 'warps', by: [0.5] },
  { section: 'attention', field: 'minSplit', by: [0.5, 2] },
  { section: 'attention', field: 'whole', by: [0.5, 2] },
  { section: 'attention', field: 'stageBytes', by: [0.5] },
  { section: 'attention', field: 'stages', by: [1.5] },
];

/** Heads a block: with the least allowed, and each number that the cost model is overruled with. */
const MOST_HEADS = [1, 2, 4];

export function candidates(target: Target): Candidate[] {
  const all: Candidate[] = [{ name: UNTUNED, changes: {} }];
  const add = (section: Section, field: string, value: number | readonly number[]) =>
    all.push({ name: `${section}-${field}-${[value].flat().join('_')}`, changes: { [section]: { [field]: value } } });
  for (const { section, field, by } of FACTORS) {
    const value = (target[section] as Readonly<Record<string, unknown>>)[field];
    if (typeof value !== 'number') continue;
    for (const factor of by) if (Number.isInteger(value * factor)) add(section, field, value * factor);
  }
  for (const rows of target.projection.groupRows) add('projection', 'groupRows', [rows]);
  for (const heads of MOST_HEADS)
    if (heads < target.attention.maxHeadsPerBlock) add('attention', 'maxHeadsPerBlock', heads);
  return all;
}
