/** Shapes at the edges of what planner and kernels cut into groups, chunks, tiles and splits; and shapes at random. */
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import type { Matrix, ModelOptions } from './models.js';
import type { Random } from './random.js';

export interface StressModel extends ModelOptions {
  readonly name: string;
  /** Tokens to decode, from position 0. */
  readonly steps: number;
  /** Positions of the KV cache, where it is not the model's. */
  readonly context?: number;
  /** Weights over which the error is summed, where one set's few logits may all be small by chance; default 1. */
  readonly weightSets?: number;
}

export const STRESS_MODELS: readonly StressModel[] = [
  {
    name: 'wide-q8_0-one-token-vocabulary',
    embeddingLength: 2304,
    layers: 1,
    headCount: 2,
    headSize: 32,
    feedForwardLength: 96,
    vocabSize: 1,
    type: 'Q8_0',
    steps: 5,
    weightSets: 16,
  },
  {
    name: 'wide-f32-no-multiple-of-anything',
    embeddingLength: 2333,
    layers: 1,
    headCount: 1,
    headSize: 40,
    feedForwardLength: 37,
    vocabSize: 13,
    type: 'F32',
    steps: 5,
  },
  {
    name: 'f16-800-seven-heads-a-kv-head-vocabulary-1009',
    embeddingLength: 800,
    layers: 1,
    headCount: 7,
    headCountKv: 1,
    headSize: 80,
    feedForwardLength: 200,
    vocabSize: 1009,
    tied: true,
    type: 'F16',
    steps: 40,
  },
  {
    name: 'mixed-types-in-one-node',
    embeddingLength: 768,
    layers: 2,
    headCount: 4,
    headCountKv: 2,
    headSize: 64,
    feedForwardLength: 512,
    vocabSize: 64,
    biases: ['attn_q', 'attn_v', 'ffn_up'],
    type: (matrix, layer) => mixedTypes[layer === 0 ? 0 : 1]![matrix] ?? 'Q8_0',
    steps: 12,
  },
  {
    name: 'f32-33-wide-sixteen-heads-one-kv-head',
    embeddingLength: 33,
    layers: 2,
    headCount: 16,
    headCountKv: 1,
    headSize: 40,
    feedForwardLength: 65,
    vocabSize: 31,
    type: 'F32',
    steps: 200,
  },
  {
    name: 'qwen2-thirteen-heads-a-kv-head',
    architecture: 'qwen2',
    embeddingLength: 64,
    layers: 1,
    headCount: 26,
    headCountKv: 2,
    headSize: 96,
    feedForwardLength: 32,
    vocabSize: 50,
    type: 'Q4_1',
    steps: 150,
  },
  {
    name: 'qwen3-heads-of-112',
    architecture: 'qwen3',
    embeddingLength: 96,
    layers: 2,
    headCount: 6,
    headCountKv: 3,
    headSize: 112,
    feedForwardLength: 64,
    vocabSize: 40,
    tied: true,
    type: 'Q5_0',
    steps: 150,
  },
  {
    name: 'one-wide-head-four-splits-full-context',
    embeddingLength: 64,
    layers: 2,
    headCount: 1,
    headSize: 256,
    feedForwardLength: 64,
    vocabSize: 20,
    contextLength: 300,
    type: 'BF16',
    steps: 300,
  },
  {
    name: 'context-of-one',
    embeddingLength: 32,
    layers: 1,
    headCount: 4,
    headCountKv: 2,
    headSize: 32,
    feedForwardLength: 32,
    vocabSize: 9,
    context: 1,
    type: 'Q4_0',
    steps: 1,
  },
];

const mixedTypes: readonly Partial<Record<Matrix, GgmlType>>[] = [
  { attn_q: 'Q5_K', attn_k: 'Q6_K', attn_v: 'F16', ffn_gate: 'Q4_K', ffn_up: 'Q6_K', ffn_down: 'Q3_K' },
  { attn_q: 'F32', attn_k: 'Q2_K', attn_v: 'Q4_0', ffn_gate: 'Q6_K', ffn_up: 'Q2_K', ffn_down: 'BF16' },
];

const HEAD_SIZES = [32, 40, 48, 64, 72, 80, 96, 112, 128, 160, 192, 256];
const TYPES = Object.keys(GGML_TYPES) as GgmlType[];

/** A small model of any shape and any mixture of the types that its widths allow. */
export function randomShape(random: Random): ModelOptions & { readonly steps: number } {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const architecture = pick(['llama', 'qwen2', 'qwen3'] as const);
  const grain = pick([1, 32, 256]);
  const types = TYPES.filter((type) => grain % GGML_TYPES[type].blockSize === 0);
  const assigned = new Map<string, GgmlType>();
  let heads: { headCount: number; headCountKv: number; headSize: number };
  do {
    const headCountKv = 1 + random.integer(4);
    heads = { headCount: headCountKv * pick([1, 2, 3, 4, 5, 7, 8, 13]), headCountKv, headSize: pick(HEAD_SIZES) };
  } while ((heads.headCount * heads.headSize) % grain !== 0 || heads.headCount * heads.headSize > 2048);
  return {
    architecture,
    ...heads,
    embeddingLength: grain * (1 + random.integer(grain === 1 ? 200 : Math.ceil(600 / grain))),
    feedForwardLength: grain * (1 + random.integer(grain === 1 ? 300 : Math.ceil(800 / grain))),
    layers: 1 + random.integer(2),
    vocabSize: 8 + random.integer(150),
    tied: random.integer(2) === 0,
    ...(architecture === 'llama' && { ropeFactors: random.integer(2) === 0 }),
    type: (matrix, layer) => {
      const key = `${matrix} ${layer}`;
      const type = assigned.get(key) ?? pick(types);
      assigned.set(key, type);
      return type;
    },
    steps: 10 + random.integer(60),
  };
}
