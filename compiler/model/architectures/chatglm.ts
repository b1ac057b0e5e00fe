/** ChatGLM 2 and 3, GLM 4 (9B): one matrix for q, k and v, one for gate and up, and a part of each head is rotated. */
import type { Architecture } from './architecture.js';
import { glm4 } from './glm4.js';
import { OPTIONAL_STACKED_QKV_BIASES, STACKED_QKV } from './stacked_qkv.js';

const { attnPostNorm: _, ffnPostNorm: __, ...LAYER } = glm4.layer!;

export const chatglm: Architecture = {
  name: 'chatglm',
  ropePairing: 'adjacent',
  model: glm4.model,
  layer: {
    ...LAYER,
    ...STACKED_QKV,
    ...OPTIONAL_STACKED_QKV_BIASES,
  },
};
