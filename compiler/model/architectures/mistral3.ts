/** Mistral Small 3 and Ministral 3, as far as they are Llama: temperature tuning of attention is refused. */
import type { Architecture } from './architecture.js';
import { llama } from './llama.js';

const { keys: _, features: __, ...LLAMA } = llama;

export const mistral3: Architecture = { ...LLAMA, name: 'mistral3' };
