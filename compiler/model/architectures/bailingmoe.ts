/** Ling with experts: as DeepSeek's first, but without dense layers, and the weights' norm is the file's to say. */
import { type Architecture, UNTIED_DECODER } from './architecture.js';
import { deepseek } from './deepseek.js';

const { dense: _, ...experts } = deepseek.experts!;

export const bailingmoe: Architecture = {
  ...deepseek,
  name: 'bailingmoe',
  // As in llama.cpp, whatever it says, every layer has experts.
  keys: ['leading_dense_block_count'],
  model: UNTIED_DECODER,
  experts: { ...experts, weightsOver: 'stated' },
};
