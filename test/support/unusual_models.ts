/**
 * Shapes that no golden model has: odd widths, one KV head, head sizes apart from width / heads, partial rope, biases
 * everywhere, and the tensor types that the goldens lack. test/fixtures/unusual has their logits.
 */
import { LAYER_MATRICES, type ModelOptions } from './models.js';

export const UNUSUAL_MODELS: readonly (ModelOptions & { readonly name: string })[] = [
  {
    name: 'llama-f16-odd-width',
    embeddingLength: 51,
    layers: 2,
    headCount: 3,
    headCountKv: 1,
    headSize: 32,
    feedForwardLength: 77,
    vocabSize: 61,
    biases: LAYER_MATRICES,
    tied: true,
    type: 'F16',
    vectorType: 'F16',
  },
  {
    name: 'llama-f32-partial-rope-factors',
    embeddingLength: 45,
    layers: 3,
    headCount: 5,
    headSize: 40,
    feedForwardLength: 131,
    vocabSize: 33,
    ropeDimensions: 24,
    ropeFactors: true,
    type: 'F32',
  },
  {
    name: 'llama-q4_1-q5_1',
    embeddingLength: 96,
    layers: 2,
    headCount: 6,
    headCountKv: 2,
    headSize: 32,
    feedForwardLength: 160,
    vocabSize: 70,
    ropeDimensions: 16,
    type: (_, layer) => (layer === 0 ? 'Q5_1' : 'Q4_1'),
  },
  {
    name: 'llama-q4_0-one-wide-head',
    embeddingLength: 32,
    layers: 4,
    headCount: 1,
    headSize: 256,
    feedForwardLength: 32,
    vocabSize: 40,
    rmsEpsilon: 1e-2,
    ropeBase: 500000,
    ropeFactors: true,
    biases: ['attn_output', 'ffn_down'],
    type: 'Q4_0',
  },
  {
    name: 'qwen2-q5_1-narrow-heads-tied',
    architecture: 'qwen2',
    embeddingLength: 64,
    layers: 2,
    headCount: 6,
    headCountKv: 1,
    headSize: 48,
    feedForwardLength: 224,
    vocabSize: 97,
    ropeBase: 1e6,
    tied: true,
    type: 'Q5_1',
  },
  {
    name: 'qwen2-f32-partial-rope',
    architecture: 'qwen2',
    embeddingLength: 130,
    layers: 1,
    headCount: 2,
    headCountKv: 1,
    headSize: 80,
    feedForwardLength: 19,
    vocabSize: 29,
    ropeDimensions: 20,
    type: 'F32',
  },
  {
    name: 'qwen3-bf16-wide-heads-tied',
    architecture: 'qwen3',
    embeddingLength: 72,
    layers: 2,
    headCount: 4,
    headCountKv: 2,
    headSize: 256,
    feedForwardLength: 100,
    vocabSize: 55,
    ropeBase: 1e6,
    rmsEpsilon: 1e-6,
    tied: true,
    type: 'BF16',
    vectorType: 'BF16',
  },
  {
    name: 'qwen3-every-k-quant',
    architecture: 'qwen3',
    embeddingLength: 256,
    layers: 2,
    headCount: 8,
    headCountKv: 4,
    headSize: 64,
    feedForwardLength: 512,
    vocabSize: 83,
    type: (matrix, layer) => {
      const types = ['Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K', 'Q8_0', 'Q5_0'] as const;
      const index = (LAYER_MATRICES as readonly string[]).indexOf(matrix);
      return types[(index + 2 + layer) % types.length]!;
    },
  },
];

/** Twelve tokens for a model of this vocabulary, as test/fixtures/unusual/logits.py has them. */
export function unusualTokens(vocabSize: number): number[] {
  return Array.from({ length: 12 }, (_, t) => (17 * t + 5) % vocabSize);
}
