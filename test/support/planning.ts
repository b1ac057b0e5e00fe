/** What nodes are lowered for, where nothing was tuned. */

import { TOKEN } from '../../compiler/ir/programs.js';
import type { PlannedCache } from '../../compiler/plan/caches.js';
import type { Planning } from '../../compiler/plan/lowering.js';
import { WeightPlanner } from '../../compiler/plan/weights.js';
import type { Target } from '../../compiler/target/target.js';

/** Of so many layers, in pages of one kind. */
const CACHES = Array.from(
  { length: 100 },
  (_, id): PlannedCache => ({
    ...{ id, layer: id, kind: 'kv', heads: 1, headSize: 16 },
    ...{ rowBytes: 64, region: 'kv_cache', offset: 4096 * id, bytes: 4096 },
  }),
);
const PAGES = [
  { region: 'kv_cache', bytes: 409600, window: 0 },
  { region: 'kv_window', bytes: 0, window: 0 },
] as const;

export const planningOf = (target: Target, contextLength = 64, vocabSize = 1000): Planning => ({
  target,
  targetOf: () => target,
  program: TOKEN,
  contextLength,
  vocabSize,
  caches: { caches: CACHES, pages: PAGES },
  slotBytes: 16384,
  weights: new WeightPlanner(),
});
