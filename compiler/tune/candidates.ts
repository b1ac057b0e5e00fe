/** What --tune tries: each number of the target's description that shapes kernels, at a few other values. */

import type { Changes } from '../../runtime/artifact_folder/tuned_shape.js';
import type { Target } from '../target/target.js';

export interface Candidate {
  /** A file name: "untuned", "projection-warps-x0.5". */
  readonly name: string;
  readonly changes: Changes;
}

/** The candidate that the others are compared with. */
export const UNTUNED = 'untuned';

/** Factors of the default; those that leave no whole number are not tried. */
const PROJECTION: readonly Factors[] = [
  { field: 'warps', by: [0.5, 0.75] },
  // Rings filled before the wait wherever the node before allows it; nowhere.
  { field: 'prefetchCycles', by: [0, 1000] },
];
/** How a projection's block uses shared memory, alone on a multiprocessor or beside another node's. */
const MEMORY: readonly Factors[] = [
  { field: 'slotBytes', by: [0.5, 2] },
  { field: 'stagesBytes', by: [0.5, 0.75] },
  { field: 'prefetchBytes', by: [0.5, 1.5] },
];
const ATTENTION: readonly Factors[] = [
  { field: 'warps', by: [0.5] },
  { field: 'minSplit', by: [0.5, 2] },
  { field: 'stages', by: [0.5] },
];

interface Factors {
  readonly field: string;
  readonly by: readonly number[];
}

/** Heads a block: with the least allowed, and each number that the cost model is overruled with. */
const MOST_HEADS = [1, 2, 4];

export function candidates(target: Target): Candidate[] {
  const { projection, attention } = target;
  const all: Candidate[] = [{ name: UNTUNED, changes: {} }];
  const vary = (prefix: string, factors: readonly Factors[], sections: readonly [keyof Changes, object | null][]) => {
    for (const { field, by } of factors)
      for (const factor of by) {
        const changes = Object.fromEntries(
          sections.flatMap(([section, from]) => {
            const value = (from as Readonly<Record<string, number>> | null)?.[field];
            return value === undefined ? [] : [[section, { [field]: value * factor }]];
          }),
        );
        const values = Object.values(changes).flatMap((section) => Object.values(section));
        if (values.every(Number.isInteger)) all.push({ name: `${prefix}-${field}-x${factor}`, changes });
      }
  };
  vary('projection', PROJECTION, [['projection', projection]]);
  vary('projection', MEMORY, [
    ['alone', projection.alone],
    ['coResident', projection.coResident],
  ]);
  vary('attention', ATTENTION, [['attention', attention]]);
  for (const heads of MOST_HEADS)
    if (heads < attention.maxHeadsPerBlock)
      all.push({ name: `attention-heads-${heads}`, changes: { attention: { maxHeadsPerBlock: heads } } });
  return all;
}
