/** What neighbours make of a program's nodes, in the order in which it is decided. */

import type { ProgramKind } from '../ir/programs.js';
import { coResidency } from './co_residency.js';
import { coResidentExperts } from './co_resident_experts.js';
import { earlyRelease } from './early_release.js';
import { lowerDependent } from './lower_nodes.js';
import type { NodePass } from './lowering.js';
import { prefetchL2 } from './prefetch_l2.js';
import { prefetchStages } from './prefetch_stages.js';

/** For each kind of program. */
export const nodePasses: Readonly<Record<ProgramKind['name'], readonly NodePass[]>> = {
  token: [
    { name: 'co_residency', run: coResidency },
    { name: 'prefetch_stages', run: prefetchStages },
    { name: 'early_release', run: earlyRelease },
    { name: 'prefetch_l2', run: prefetchL2 },
    { name: 'lower_dependent', run: lowerDependent },
    { name: 'co_resident_experts', run: coResidentExperts },
  ],
  // A node of many rows is chosen by itself.
  batch: [],
  prompt: [],
  load: [],
};
