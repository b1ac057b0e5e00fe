/** MiniCPM 1 and 2: Granite with constants that follow from the model's sizes where the file has none. */
import type { Architecture } from './architecture.js';
import { granite } from './granite.js';
import { llama } from './llama.js';

export const minicpm: Architecture = {
  ...granite,
  name: 'minicpm',
  experts: llama.experts!,
  keys: ['embedding_scale', 'residual_scale', 'logit_scale'],
  features: (keys, { blockCount, embeddingLength }) => {
    const logitScale = keys.positiveFloat('logit_scale', 256 / embeddingLength);
    return {
      embeddingScale: keys.positiveFloat('embedding_scale', 12),
      residualScale: keys.positiveFloat('residual_scale', 1.4 / Math.sqrt(blockCount)),
      // The file has the divisor.
      logitScale: logitScale && 1 / logitScale,
    };
  },
};
