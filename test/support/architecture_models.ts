/** Random models of every architecture, drawn from its own description: all its tensors, and keys that show its features. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { matrix, type Size, type TensorRule, vector } from '../../compiler/model/architectures/architecture.js';
import { ARCHITECTURES } from '../../compiler/model/architectures/index.js';
import type { GgmlType } from '../../runtime/files/ggml.js';
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
  /** Roles whose tensor is the one that may stand for it: TensorRule.otherwise. */
  readonly otherwise?: readonly string[];
  /** How many experts a token takes, of sizes.experts; default: a dense model. */
  readonly used?: number;
  /** Experts have no gate. */
  readonly ungated?: boolean;
  /** A tensor for each expert. */
  readonly split?: true;
  /** Layers have a shared expert of sizes.sharedFeedForward; where it is counted, a multiple of sizes.expertFeedForward. */
  readonly shared?: boolean;
  /** Layers without experts before those that have them. */
  readonly dense?: number;
  /** The last of the layers, which guess tokens further ahead and are not run. */
  readonly nextn?: number;
  /** Matrices of layers have a number beside them, and another that changes nothing. */
  readonly scales?: boolean;
}

const SIZES: Record<Size, number> = {
  vocabulary: 61,
  embedding: 96,
  feedForward: 160,
  query: 128,
  keyValue: 64,
  head: 32,
  heads: 4,
  ropePairs: 16,
  one: 1,
  experts: 7,
  expertFeedForward: 96,
  sharedFeedForward: 64,
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

/** Types that experts come in, besides the goldens' Q8_0; rows of 256 and, with 2 chunks, of 1024 columns. */
const EXPERT_TYPES = ['Q4_K', 'Q6_K', 'Q5_K', 'Q3_K', 'Q2_K', 'IQ4_XS', 'Q4_0', 'MXFP4', 'F16'] as const;

const EXPERT_MODELS: readonly ArchitectureModel[] = [
  {
    name: 'afmoe',
    architecture: 'afmoe',
    layers: 4,
    type: 'Q4_0',
    used: 3,
    dense: 1,
    shared: true,
    sizes: { sharedFeedForward: 2 * 96 },
    optional: ['ffnRouterSelection', 'output'],
    keys: {
      'attention.sliding_window': u32(7),
      expert_weights_norm: { type: 'bool', value: 1 },
      expert_weights_scale: f32(2.5),
    },
  },
  {
    name: 'qwen2moe',
    architecture: 'qwen2moe',
    layers: 2,
    type: 'Q8_0',
    used: 3,
    shared: true,
    optional: ['output'],
  },
  {
    name: 'qwen3moe-256-experts-f32',
    architecture: 'qwen3moe',
    layers: 1,
    type: 'F32',
    used: 9,
    scales: true,
    sizes: { embedding: 70, experts: 256, expertFeedForward: 33 },
  },
  {
    name: 'mixtral-a-tensor-for-each-expert',
    architecture: 'llama',
    layers: 2,
    type: 'Q8_0',
    used: 2,
    split: true,
  },
  {
    name: 'olmoe',
    architecture: 'olmoe',
    layers: 2,
    type: 'Q5_1',
    used: 7,
    sizes: { expertFeedForward: 160 },
    optional: ['output'],
  },
  {
    name: 'granitemoe',
    architecture: 'granitemoe',
    layers: 2,
    type: 'BF16',
    used: 2,
    keys: {
      embedding_scale: f32(12),
      residual_scale: f32(0.22),
      logit_scale: f32(6),
      'attention.scale': f32(0.05),
    },
    optional: ['attnQBias', 'attnOutputBias'],
  },
  {
    name: 'granitemoe-shared',
    architecture: 'granitemoe',
    layers: 2,
    type: 'Q8_0',
    used: 3,
    shared: true,
    keys: { residual_scale: f32(0.4) },
  },
  {
    name: 'gpt-oss',
    architecture: 'gpt-oss',
    layers: 2,
    type: 'MXFP4',
    used: 4,
    sizes: { experts: 16 },
    keys: {
      'attention.sliding_window': u32(9),
      'rope.freq_base': f32(150000),
      ...YARN,
    },
    optional: ['output'],
  },
  ...EXPERT_TYPES.map((type) => ({
    name: `mixtral-${type.toLowerCase()}`,
    architecture: 'llama',
    layers: 1,
    type,
    used: 2,
    sizes: { ...WIDE, expertFeedForward: 1024 },
  })),
];

export const ARCHITECTURE_MODELS: readonly ArchitectureModel[] = [
  {
    name: 'mistral-window',
    architecture: 'llama',
    layers: 2,
    type: 'F16',
    keys: { 'attention.sliding_window': u32(7) },
  },
  {
    name: 'llama-scales',
    architecture: 'llama',
    layers: 2,
    type: 'Q8_0',
    optional: ['attnQBias', 'attnVBias', 'attnOutputBias', 'ffnUpBias', 'ffnDownBias'],
    scales: true,
  },
  { name: 'qwen2-bias-of-logits', architecture: 'qwen2', layers: 1, type: 'Q8_0', optional: ['outputBias'] },
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
    sizes: { embedding: 608 },
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
    sizes: { embedding: 598 },
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
    otherwise: ['ffnNorm', 'ffnNormBias'],
  },
  {
    name: 'starcoder2',
    architecture: 'starcoder2',
    layers: 2,
    type: 'F16',
    sizes: { embedding: 90 },
    optional: ['attnOutputBias'],
  },
  {
    name: 'spark2_5',
    architecture: 'spark2_5',
    layers: 2,
    type: 'Q8_0',
    keys: {
      'attention.sliding_window': u32(33),
      'attention.sliding_window_pattern': { type: 'array', of: 'bool', value: [0, 1] },
    },
  },
  ...CODED.map((type) => ({
    name: `llama-${type.toLowerCase()}`,
    architecture: 'llama',
    layers: 1,
    type,
    sizes: WIDE,
  })),
  ...EXPERT_MODELS,
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

/** What a layer that guesses further ahead has besides, with a matrix for the two. */
const NEXTN_NORMS = { ofEmbedding: vector('enorm.weight', 'embedding'), ofHidden: vector('hnorm.weight', 'embedding') };

const SCALED = /^blk.*(attn_(q|k|v|qkv|output)|ffn_(gate|up|down)(_exps|_shexp)?)\.weight$/;

const sizesOf = ({ sizes }: ArchitectureModel) => ({ ...SIZES, ...sizes });

function metadataOf(model: ArchitectureModel): [string, MetadataValue][] {
  const sizes = sizesOf(model);
  const common: Record<string, MetadataValue> = {
    context_length: u32(512),
    vocab_size: u32(sizes.vocabulary),
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
    ...(model.used && {
      expert_count: u32(sizes.experts),
      expert_used_count: u32(model.used),
      expert_feed_forward_length: u32(sizes.expertFeedForward),
    }),
    ...(model.shared && sharedKeys(model)),
    ...(model.dense !== undefined && { leading_dense_block_count: u32(model.dense) }),
    ...(model.nextn && { nextn_predict_layers: u32(model.nextn) }),
  };
  const keys = Object.entries({ ...common, ...model.keys });
  return [
    ['general.architecture', str(model.architecture)],
    ['tokenizer.ggml.model', str('none')],
    ...keys.map(([key, value]): [string, MetadataValue] => [`${model.architecture}.${key}`, value]),
  ];
}

function sharedKeys(model: ArchitectureModel): Record<string, MetadataValue> {
  const { stated, counted } = ARCHITECTURES.get(model.architecture)!.experts!.shared!;
  const { sharedFeedForward, expertFeedForward } = sizesOf(model);
  return {
    ...(counted && { expert_shared_count: u32(sharedFeedForward / expertFeedForward) }),
    ...(stated && { expert_shared_feed_forward_length: u32(counted ? expertFeedForward : sharedFeedForward) }),
  };
}

function tensorsOf(model: ArchitectureModel, seed: number): TensorInput[] {
  const random = new Random(seed);
  const sizes = sizesOf(model);
  const { model: outer, layer: only, experts } = ARCHITECTURES.get(model.architecture)!;
  const layer = model.used ? { ...experts!.layer, ...(model.shared && experts!.shared!.layer) } : only!;
  const tensors = new Map<string, TensorInput>();
  const draw = (rules: object, prefix: string, scales = model.scales) => {
    for (const [role, first] of Object.entries(rules) as [string, TensorRule][]) {
      const rule = (model.otherwise?.includes(role) && first.otherwise) || first;
      const name = prefix + rule.name;
      const isDrawn = role === 'ffnGateExperts' ? !model.ungated : !rule.optional || model.optional?.includes(role);
      if (tensors.has(name) || !isDrawn) continue;
      const tensor = tensorOf(random, name, rule, sizes, model.type);
      for (const part of model.split && rule.ofExperts ? piecesOf(tensor, sizes.experts) : [tensor])
        tensors.set(`${part.name}`, part);
      if (!scales || !SCALED.test(name)) continue;
      for (const kind of ['scale', 'input_scale']) {
        const scale = vectorOf(random, name.replace(/weight$/, kind), rule.ofExperts ? sizes.experts : 1, 'F32');
        tensors.set(`${scale.name}`, scale);
      }
    }
  };
  draw(outer, '');
  const dense = model.dense ?? 0;
  const run = model.layers - (model.nextn ?? 0);
  for (let i = 0; i < model.layers; i++) {
    draw(i < dense ? experts!.dense! : layer, `blk.${i}.`, i < run && model.scales);
    if (i < run) continue;
    draw(NEXTN_NORMS, `blk.${i}.nextn.`);
    const name = `blk.${i}.nextn.eh_proj.weight`;
    const both = { ...sizes, query: 2 * sizes.embedding };
    tensors.set(name, tensorOf(random, name, matrix('', 'embedding', 'query'), both, model.type));
  }
  return [...tensors.values()];
}

function tensorOf(random: Random, name: string, rule: TensorRule, sizes: Record<Size, number>, type: GgmlType) {
  const cols = sizes[rule.cols];
  const experts = rule.ofExperts ? sizes.experts : 1;
  const stack = rule.ofExperts ? [experts] : [];
  const others = [...(rule.part?.before ?? []), ...(rule.part?.after ?? [])];
  if (rule.kind !== 'matrix') {
    const all = others.reduce((sum, size) => sum + sizes[size], cols);
    const vector = vectorOf(random, name, all * experts, rule.kind === 'f32' || type === 'F32' ? 'F32' : 'F16');
    return { ...vector, dims: [all, ...stack] };
  }
  const own = rule.rows === 1 ? 1 : sizes[rule.rows];
  const rows = others.reduce((sum, size) => sum + sizes[size], own);
  const std = name.startsWith('token_embd') ? 0.3 : 1.5 / Math.sqrt(cols);
  const data = randomTensor(random, type, rows * cols * experts, std);
  return { name, type, dims: [cols, ...(rule.rows === 1 ? [] : [rows]), ...stack], data };
}

/** ffn_gate_exps.weight as ffn_gate.0.weight and so on. */
function piecesOf({ name, type, dims, data }: TensorInput, experts: number): TensorInput[] {
  const bytes = data.length / experts;
  return Array.from({ length: experts }, (_, i) => ({
    name: `${name}`.replace('_exps.', `.${i}.`),
    type,
    dims: dims.slice(0, -1),
    data: data.subarray(i * bytes, (i + 1) * bytes),
  }));
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
