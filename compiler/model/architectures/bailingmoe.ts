/** Ling with experts: as DeepSeek's first, but without dense layers, and the weights' norm is the file's to say. */
import { type Architecture, UNTIED_DECODER } from './architecture.js';
import { deepseek } from './deepseek.js';

const { dense: _, ...experts } = deepseek.experts!;

export const bailingmoe: Architecture = {
  ...deepseek,
  name: 'bailingmoe',
  model: UNTIED_DECODER,
  experts: { ...experts, weightsOver: 'stated' },
};
