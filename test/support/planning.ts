/** What nodes are lowered for, where nothing was tuned. */
import type { Planning } from '../../compiler/plan/lowering.js';
import { TOKEN } from '../../compiler/plan/programs.js';
import type { Target } from '../../compiler/plan/target.js';

export const planningOf = (target: Target, contextLength = 64, vocabSize = 1000): Planning => ({
  target,
  targetOf: () => target,
  program: TOKEN,
  contextLength,
  vocabSize,
});
