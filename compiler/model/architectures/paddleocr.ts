/** The text half of PaddleOCR-VL: ERNIE 4.5 with a rope of three axes, which a text makes one. */
import type { Architecture } from './architecture.js';
import { ernie4_5 } from './ernie4_5.js';
import { qwen2vl } from './qwen2vl.js';

export const paddleocr: Architecture = {
  ...ernie4_5,
  name: 'paddleocr',
  ropePairing: 'half',
  keys: qwen2vl.keys!,
  features: qwen2vl.features!,
};
