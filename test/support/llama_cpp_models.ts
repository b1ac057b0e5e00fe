/** Models of every architecture with all that is optional in it, of which test/fixtures/llama_cpp has llama.cpp's logits. */
import { ARCHITECTURES } from '../../compiler/model/architectures/index.js';
import { type ArchitectureModel, architectureModel } from './architecture_models.js';
import { f32, type MetadataValue, str, u32 } from './gguf_writer.js';

const SIZES = { embedding: 64, feedForward: 96, query: 64, keyValue: 32, heads: 2, experts: 5, expertFeedForward: 96 };
const WINDOW = { 'attention.sliding_window': u32(7) };
const YARN = {
  'rope.scaling.type': str('yarn'),
  'rope.scaling.factor': f32(4),
  'rope.scaling.original_context_length': u32(64),
};
const GRANITE = {
  embedding_scale: f32(12),
  residual_scale: f32(0.22),
  logit_scale: f32(8),
  'attention.scale': f32(0.05),
};

/** Of 16 pairs; llama.cpp leaves those rotated by the fourth axis as they are. */
const AXES = { 'rope.dimension_sections': { type: 'array', of: 'int32', value: [6, 6, 6, 0] } } as const;

const KEYS: Readonly<Record<string, Readonly<Record<string, MetadataValue>>>> = {
  gemma2: { ...WINDOW, attn_logit_softcapping: f32(3), final_logit_softcapping: f32(2) },
  gemma3: { ...WINDOW, 'rope.scaling.factor': f32(8), 'rope.freq_base': f32(1e6) },
  'gpt-oss': { ...WINDOW, ...YARN },
  exaone4: WINDOW,
  'command-r': { logit_scale: f32(0.3) },
  dots1: {
    expert_gating_func: u32(2),
    expert_weights_norm: { type: 'bool', value: 1 },
    expert_weights_scale: f32(1.7),
  },
  'minimax-m2': { expert_gating_func: u32(2) },
  mellum: { ...WINDOW, ...YARN },
  glm4moe: { expert_weights_norm: { type: 'bool', value: 1 }, expert_weights_scale: f32(2.5) },
  'exaone-moe': {
    ...WINDOW,
    expert_gating_func: u32(2),
    expert_weights_norm: { type: 'bool', value: 1 },
    expert_weights_scale: f32(2.5),
  },
  'hunyuan-dense': YARN,
  bailingmoe2: {
    expert_gating_func: u32(2),
    expert_weights_norm: { type: 'bool', value: 1 },
    expert_weights_scale: f32(2.5),
    expert_group_count: u32(4),
    expert_group_used_count: u32(2),
  },
  'ernie4_5-moe': { interleave_moe_layer_step: u32(1) },
  gptneox: { use_parallel_residual: { type: 'bool', value: 1 } },
  cohere2: { ...WINDOW, logit_scale: f32(0.3) },
  qwen2vl: AXES,
  paddleocr: AXES,
  hunyuan_vl: AXES,
  granite_swa: {
    ...GRANITE,
    ...WINDOW,
    'attention.sliding_window_pattern': { type: 'array', of: 'bool', value: [1, 0, 1, 0] },
  },
  afmoe: { ...WINDOW, expert_weights_norm: { type: 'bool', value: 1 }, expert_weights_scale: f32(2.5) },
  spark2_5: {
    ...WINDOW,
    'attention.sliding_window_pattern': { type: 'array', of: 'bool', value: [1, 0, 1, 0] },
  },
  qwen3vl: AXES,
  qwen3vlmoe: AXES,
  granite: GRANITE,
  granitemoe: { ...GRANITE, 'rope.scaling.finetuned': { type: 'bool', value: 0 } },
  olmo2: { ...WINDOW, ...YARN },
  phi3: { 'rope.scaling.type': str('longrope'), 'rope.scaling.attn_factor': f32(1.19) },
};

/** Of rope factors a second set, and what llama.cpp does not know of. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  llama: ['ropeFactorsLong', 'ropeFactorsShort'],
  granite: ['ropeFactorsLong', 'ropeFactorsShort'],
  granitemoe: ['ropeFactorsLong', 'ropeFactorsShort'],
  minicpm: ['ropeFactorsLong', 'ropeFactorsShort'],
  mistral3: ['ropeFactorsLong', 'ropeFactorsShort'],
  bailingmoe2: ['attnQBias', 'attnKBias', 'attnVBias'],
  falcon: ['attnQBias', 'attnKBias', 'attnVBias'],
  granite_swa: ['ropeFactorsLong', 'ropeFactorsShort'],
  gemma: ['output'],
  'command-r': ['output'],
  cohere2: ['output'],
  gemma2: ['output'],
  smollm3: ['attnOutputBias', 'ffnGateBias', 'ffnUpBias', 'ffnDownBias'],
};

/** Tensors that stand for others: norms of their own. */
const OTHERWISE: Readonly<Record<string, readonly string[]>> = { stablelm: ['ffnNorm', 'ffnNormBias'] };

/** With a last layer that is not run. */
const NEXTN = ['glm4moe'];

/** llama.cpp's OLMoE and dots.llm1 have a KV head for each head; two shared experts, where they are counted. */
const sizesOf = (architecture: string) => ({
  ...SIZES,
  ...(['olmoe', 'dots1'].includes(architecture) && { keyValue: SIZES.query }),
  ...(['minimax-m2', 'glm4moe'].includes(architecture) && { ropePairs: 8 }),
  ...(architecture === 'bailingmoe2' && { experts: 12 }),
  ...(ARCHITECTURES.get(architecture)!.experts?.shared?.counted && { sharedFeedForward: 2 * SIZES.expertFeedForward }),
});

function modelsOf(architecture: string): ArchitectureModel[] {
  const { model, layer, experts } = ARCHITECTURES.get(architecture)!;
  const roles = Object.keys({ ...model, ...layer, ...experts?.layer });
  const optional = roles.filter((role) => !LEFT_OUT[architecture]?.includes(role));
  const keys = KEYS[architecture] ?? {};
  const sizes = sizesOf(architecture);
  const otherwise = OTHERWISE[architecture] ?? [];
  const nextn = NEXTN.includes(architecture) && ({ nextn: 1 } as const);
  const rest = { scales: true, keys, optional, otherwise, ...nextn } as const;
  const common = { architecture, layers: nextn ? 5 : 4, type: 'F32', sizes, ...rest } as const;
  const shared = experts?.shared !== undefined;
  return [
    ...(layer ? [{ name: architecture, ...common }] : []),
    ...(experts
      ? [{ name: `${architecture}-experts`, ...common, used: 3, shared, ...(experts.dense && { dense: 2 }) }]
      : []),
  ];
}

/** Models of an architecture with other keys, which decide what a layer does. */
const variant = (name: string, architecture: string, keys = KEYS[architecture] ?? {}): ArchitectureModel[] =>
  modelsOf(architecture).map((model) => ({ ...model, name, keys }));

export const LLAMA_CPP_MODELS: readonly ArchitectureModel[] = [
  ...[...ARCHITECTURES.keys()].flatMap(modelsOf),
  ...variant('glm4-axes', 'glm4', AXES),
  ...variant('dots1-softmax-experts', 'dots1', { expert_gating_func: u32(1) }),
  ...variant('dots1-plain-sigmoid-experts', 'dots1', { expert_gating_func: u32(2) }),
  ...variant('bailingmoe-normed-experts', 'bailingmoe', { expert_weights_norm: { type: 'bool', value: 1 } }),
  ...variant('bailingmoe2-softmax-experts', 'bailingmoe2', {
    expert_gating_func: u32(1),
    expert_group_count: u32(3),
    expert_group_used_count: u32(2),
  }).map((model) => ({ ...model, optional: [] })),
  ...variant('falcon-two-norms', 'falcon').map((model) => ({ ...model, otherwise: ['attnNorm', 'attnNormBias'] })),
  ...variant('stablelm-parallel', 'stablelm').map((model) => ({ ...model, otherwise: [] })),
  ...variant('codeshell-embedding', 'codeshell').map((model) => ({ ...model, otherwise: ['tokenEmbedding'] })),
  ...variant('llama-ungated-experts', 'llama').flatMap((model) => (model.used ? [{ ...model, ungated: true }] : [])),
  ...variant('ernie4_5-moe-interleaved-experts', 'ernie4_5-moe', { interleave_moe_layer_step: u32(2) }).map(
    (model) => ({ ...model, dense: 3 }),
  ),
  ...variant('gptneox-serial', 'gptneox', { use_parallel_residual: { type: 'bool', value: 0 } }),
];

/** Where the first one's weights leave a choice of experts to rounding. */
const SEEDS: Readonly<Record<string, number>> = {
  'bailingmoe2-experts': 16,
  'bailingmoe2-softmax-experts': 28,
  'granite-experts': 3,
  'granitemoe-experts': 3,
  'minicpm-experts': 9,
  'qwen2moe-experts': 6,
};

/** Writes the model and returns its path. */
export const llamaCppModel = (model: ArchitectureModel): string => architectureModel(model, SEEDS[model.name]);

/** More than a window has positions. */
export const LLAMA_CPP_TOKENS: readonly number[] = Array.from({ length: 16 }, (_, i) => (7 * i * i + 3 * i + 5) % 61);
