/** What nodes are lowered for, where nothing was tuned. */

import { TOKEN } from '../../compiler/ir/programs.js';
import type { Planning } from '../../compiler/plan/lowering.js';
import { WeightPlanner } from '../../compiler/plan/weights.js';
import type { Target } from '../../compiler/target/target.js';

export const planningOf = (target: Target, contextLength = 64, vocabSize = 1000): Planning => ({
  target,
  targetOf: () => target,
  program: TOKEN,
  contextLength,
  vocabSize,
  weights: new WeightPlanner(),
});
