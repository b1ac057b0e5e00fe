/** Random models of every architecture, drawn from its own description: all its tensors, and keys that show its features. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Size, TensorRule } from '../../compiler/model/architectures/architecture.js';
import { ARCHITECTURES } from '../../compiler/model/architectures/index.js';
import type { GgmlType } from '../../compiler/model/ggml.js';
import { f32, type MetadataValue, str, type TensorInput, u32, writeGguf } from './gguf_writer.js';
import { type FloatType, randomTensor, writeFloat } from './quantize.js';
import { Random } from './random.js';

const FOLDER = fileURLToPath(new URL('../../build/test/models', import.meta.url));

export interface ArchitectureModel {
  readonly name: string;
  readonly architecture: string;
  readonly layers: number;
  readonly type: GgmlType;
  readonly sizes?: Partial<Record<Size, number>>;
  /** Without the architecture's prefix. */
  readonly keys?: Readonly<Record<string, MetadataValue>>;
  /** Optional tensors, by their role, that the file has; default none. */
  readonly optional?: readonly string[];
}

const SIZES: Record<Size, number> = {
  vocabulary: 61,
  embedding: 96,
  feedForward: 160,
  query: 128,
  keyValue: 64,
  head: 32,
  ropePairs: 16,
};
export const VOCABULARY = SIZES.vocabulary;

/** Every type whose quants are codes or points of a grid, in all the places that a matrix has. */
const CODED = [
  'IQ4_NL',
  'IQ4_XS',
  'MXFP4',
  'IQ2_XXS',
  'IQ2_XS',
  'IQ2_S',
  'IQ3_XXS',
  'IQ3_S',
  'IQ1_S',
  'IQ1_M',
] as const;
const WIDE = { embedding: 256, feedForward: 512, query: 256 };

const YARN = {
  'rope.scaling.type': str('yarn'),
  'rope.scaling.factor': f32(4),
  'rope.scaling.original_context_length': u32(64),
};

export const ARCHITECTURE_MODELS: readonly ArchitectureModel[] = [
  {
    name: 'mistral-window',
    architecture: 'llama',
    layers: 2,
    type: 'F16',
    keys: { 'attention.sliding_window': u32(7) },
  },
  { name: 'llama-yarn', architecture: 'llama', layers: 2, type: 'Q8_0', keys: YARN },
  {
    name: 'llama-linear-rope',
    architecture: 'llama',
    layers: 2,
    type: 'BF16',
    keys: { 'rope.scaling.type': str('linear'), 'rope.scaling.factor': f32(8) },
  },
  { name: 'gemma', architecture: 'gemma', layers: 2, type: 'Q4_0' },
  {
    name: 'gemma2-no-caps-long-window',
    architecture: 'gemma2',
    layers: 3,
    type: 'Q8_0',
    keys: {
      'attention.sliding_window': u32(29),
      attn_logit_softcapping: f32(0),
      final_logit_softcapping: f32(2),
    },
  },
  {
    name: 'gemma3-scaled',
    architecture: 'gemma3',
    layers: 7,
    type: 'F32',
    keys: {
      'attention.sliding_window': u32(4),
      'rope.freq_base': f32(1e6),
      'rope.scaling.type': str('linear'),
      'rope.scaling.factor': f32(8),
    },
  },
  {
    name: 'granite',
    architecture: 'granite',
    layers: 2,
    type: 'Q5_1',
    keys: {
      embedding_scale: f32(12),
      residual_scale: f32(0.22),
      logit_scale: f32(8),
      'attention.scale': f32(0.05),
    },
    optional: ['attnOutputBias', 'ffnDownBias', 'ffnGateBias', 'output'],
  },
  { name: 'olmo2', architecture: 'olmo2', layers: 2, type: 'Q8_0', optional: ['output'] },
  {
    name: 'olmo3',
    architecture: 'olmo2',
    layers: 5,
    type: 'F16',
    keys: { 'attention.sliding_window': u32(5), ...YARN },
    optional: ['output'],
  },
  {
    name: 'phi3-longrope',
    architecture: 'phi3',
    layers: 2,
    type: 'Q4_1',
    keys: {
      'attention.sliding_window': u32(300),
      'rope.scaling.type': str('longrope'),
      'rope.scaling.attn_factor': f32(1.19),
      'rope.scaling.original_context_length': u32(64),
    },
    optional: ['ropeFactorsLong', 'ropeFactorsShort', 'output'],
  },
  { name: 'smollm3', architecture: 'smollm3', layers: 4, type: 'Q5_0' },
  {
    name: 'stablelm',
    architecture: 'stablelm',
    layers: 2,
    type: 'Q8_0',
    sizes: { ropePairs: 4 },
    optional: ['attnQBias', 'attnKBias', 'attnVBias', 'output'],
  },
  {
    name: 'starcoder2',
    architecture: 'starcoder2',
    layers: 2,
    type: 'F16',
    sizes: { embedding: 90 },
    optional: ['attnOutputBias'],
  },
  ...CODED.map((type) => ({
    name: `llama-${type.toLowerCase()}`,
    architecture: 'llama',
    layers: 1,
    type,
    sizes: WIDE,
  })),
];

/** Writes the model and returns its path; the same model is the same file. */
export function architectureModel(model: ArchitectureModel, seed = 1): string {
  const bytes = writeGguf({ metadata: metadataOf(model), tensors: tensorsOf(model, seed) });
  const folder = join(FOLDER, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${model.name}.gguf`);
  writeFileSync(path, bytes);
  return path;
}

const sizesOf = ({ sizes }: ArchitectureModel) => ({ ...SIZES, ...sizes });

function metadataOf(model: ArchitectureModel): [string, MetadataValue][] {
  const sizes = sizesOf(model);
  const common: Record<string, MetadataValue> = {
    context_length: u32(512),
    embedding_length: u32(sizes.embedding),
    block_count: u32(model.layers),
    feed_forward_length: u32(sizes.feedForward),
    'attention.head_count': u32(sizes.query / sizes.head),
    'attention.head_count_kv': u32(sizes.keyValue / sizes.head),
    'attention.key_length': u32(sizes.head),
    'attention.value_length': u32(sizes.head),
    'attention.layer_norm_rms_epsilon': f32(1e-5),
    'attention.layer_norm_epsilon': f32(1e-5),
    'rope.dimension_count': u32(2 * sizes.ropePairs),
  };
  const keys = Object.entries({ ...common, ...model.keys });
  return [
    ['general.architecture', str(model.architecture)],
    ...keys.map(([key, value]): [string, MetadataValue] => [`${model.architecture}.${key}`, value]),
  ];
}

function tensorsOf(model: ArchitectureModel, seed: number): TensorInput[] {
  const random = new Random(seed);
  const sizes = sizesOf(model);
  const { model: outer, layer } = ARCHITECTURES.get(model.architecture)!;
  const tensors = new Map<string, TensorInput>();
  const draw = (rules: object, prefix: string) => {
    for (const [role, rule] of Object.entries(rules) as [string, TensorRule][]) {
      const name = prefix + rule.name;
      if (tensors.has(name) || (rule.optional && !model.optional?.includes(role))) continue;
      tensors.set(name, tensorOf(random, name, rule, sizes, model.type));
    }
  };
  draw(outer, '');
  for (let i = 0; i < model.layers; i++) draw(layer, `blk.${i}.`);
  return [...tensors.values()];
}

function tensorOf(random: Random, name: string, rule: TensorRule, sizes: Record<Size, number>, type: GgmlType) {
  const cols = sizes[rule.cols];
  if (rule.rows === 1) return vectorOf(random, name, cols, rule.kind === 'f32' ? 'F32' : 'F16');
  const others = [...(rule.part?.before ?? []), ...(rule.part?.after ?? [])];
  const rows = others.reduce((sum, size) => sum + sizes[size], sizes[rule.rows]);
  const std = name.startsWith('token_embd') ? 0.3 : 1.5 / Math.sqrt(cols);
  return { name, type, dims: [cols, rows], data: randomTensor(random, type, rows * cols, std) };
}

/** Norm weights and rope factors lie about 1, biases about 0. */
function vectorOf(random: Random, name: string, length: number, type: FloatType): TensorInput {
  const bytes = type === 'F32' ? 4 : 2;
  const data = Buffer.alloc(bytes * length);
  const mean = name.endsWith('.bias') ? 0 : 1;
  const spread = name.includes('long') ? 0.5 : 0.2;
  for (let i = 0; i < length; i++)
    writeFloat(data, i * bytes, type, mean + spread * Math.abs(random.normal()) + (mean === 0 ? -0.1 : 0));
  return { name, type, dims: [length], data };
}
