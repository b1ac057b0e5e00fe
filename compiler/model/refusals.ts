/**
 * Metadata that changes what a model computes in ways that this compiler does not build. llama.cpp's key names.
 * Ignoring one would give wrong logits without a word, so anything but its neutral value is refused by name.
 */
import { UnsupportedError } from '../errors.js';
import type { Architecture } from './architectures/architecture.js';
import { EXPERT_KEYS, SHARED_EXPERT_KEYS } from './experts.js';
import type { GgufFile } from './gguf.js';
import type { Hyperparameters } from './hyperparameters.js';
import { describe, type MetadataEntry, type ScalarValue } from './metadata.js';
import { quote } from './quote.js';
import type { ExpertsSpec } from './spec.js';

interface Refusal {
  /** Without the architecture's prefix. */
  readonly key: string;
  /** Values that change nothing. */
  readonly neutral: readonly ScalarValue[];
  readonly feature: string;
}

const REFUSALS: readonly Refusal[] = [
  { key: 'expert_count', neutral: [0], feature: 'mixture of experts' },
  { key: 'expert_used_count', neutral: [0], feature: 'mixture of experts' },
  { key: 'expert_feed_forward_length', neutral: [0], feature: 'mixture of experts' },
  { key: 'expert_shared_count', neutral: [0], feature: 'a number of shared experts' },
  { key: 'expert_shared_feed_forward_length', neutral: [0], feature: 'a shared expert' },
  { key: 'expert_group_count', neutral: [0, 1], feature: 'groups of experts' },
  { key: 'expert_group_used_count', neutral: [0, 1], feature: 'groups of experts' },
  { key: 'expert_weights_scale', neutral: [0, 1], feature: 'a scale of what experts give' },
  { key: 'leading_dense_block_count', neutral: [0], feature: 'dense layers beside those with experts' },
  { key: 'interleave_moe_layer_step', neutral: [0, 1], feature: 'dense layers beside those with experts' },
  { key: 'moe_every_n_layers', neutral: [0, 1], feature: 'dense layers beside those with experts' },
  { key: 'nextn_predict_layers', neutral: [0], feature: 'multi-token prediction' },
  { key: 'n_deepstack_layers', neutral: [0], feature: 'deepstack' },
  { key: 'hidden_activation', neutral: ['silu'], feature: 'an activation other than silu' },
  { key: 'use_parallel_residual', neutral: [false], feature: 'a parallel residual' },
  { key: 'swin_norm', neutral: [false], feature: 'Swin norm' },
  { key: 'rescale_every_n_layers', neutral: [0], feature: 'rescaling of layers' },
  { key: 'hyper_connection.count', neutral: [0], feature: 'hyper-connections' },
  { key: 'logit_scale', neutral: [0, 1], feature: 'a logit scale' },
  { key: 'embedding_scale', neutral: [0, 1], feature: 'an embedding scale' },
  { key: 'residual_scale', neutral: [0, 1], feature: 'a residual scale' },
  // llama.cpp writes 50 and 30 into every file that it saves itself, and heeds them only where they are listed as keys.
  { key: 'attn_logit_softcapping', neutral: [0, 50], feature: 'soft capping of attention' },
  { key: 'final_logit_softcapping', neutral: [0, 30], feature: 'soft capping of logits' },
  { key: 'router_logit_softcapping', neutral: [0, 30], feature: 'soft capping of what chooses experts' },
  { key: 'attention.causal', neutral: [true], feature: 'attention that is not causal' },
  { key: 'attention.max_alibi_bias', neutral: [0], feature: 'ALiBi' },
  { key: 'attention.clamp_kqv', neutral: [0], feature: 'clamping of queries, keys and values' },
  { key: 'attention.output_scale', neutral: [0, 1], feature: 'an attention output scale' },
  { key: 'attention.value_scale', neutral: [0, 1], feature: 'an attention value scale' },
  { key: 'attention.temperature_scale', neutral: [0], feature: 'attention temperature tuning' },
  { key: 'attention.temperature_length', neutral: [0], feature: 'attention temperature tuning' },
  { key: 'attention.q_lora_rank', neutral: [0], feature: 'multi-head latent attention' },
  { key: 'attention.kv_lora_rank', neutral: [0], feature: 'multi-head latent attention' },
  { key: 'attention.key_length_mla', neutral: [0], feature: 'multi-head latent attention' },
  { key: 'attention.value_length_mla', neutral: [0], feature: 'multi-head latent attention' },
  { key: 'attention.relative_buckets_count', neutral: [0], feature: 'relative position buckets' },
  { key: 'attention.group_norm_groups', neutral: [0], feature: 'group norm' },
  { key: 'attention.decay_lora_rank', neutral: [0], feature: 'RWKV time mixing' },
  { key: 'attention.iclr_lora_rank', neutral: [0], feature: 'RWKV time mixing' },
  { key: 'attention.value_residual_mix_lora_rank', neutral: [0], feature: 'RWKV time mixing' },
  { key: 'attention.gate_lora_rank', neutral: [0], feature: 'RWKV time mixing' },
  { key: 'time_mix_extra_dim', neutral: [0], feature: 'RWKV time mixing' },
  { key: 'time_decay_extra_dim', neutral: [0], feature: 'RWKV time mixing' },
  { key: 'wkv.head_size', neutral: [0], feature: 'RWKV time mixing' },
  ...['inner_size', 'conv_kernel', 'state_size', 'time_step_rank', 'group_count'].map((key) => {
    return { key: `ssm.${key}`, neutral: [0], feature: 'state-space layers' };
  }),
  { key: 'ssm.dt_b_c_rms', neutral: [false], feature: 'state-space layers' },
  { key: 'shortconv.l_cache', neutral: [0], feature: 'short convolutions' },
  { key: 'kda.head_dim', neutral: [0], feature: 'linear attention' },
  { key: 'full_attention_interval', neutral: [0], feature: 'linear attention' },
  { key: 'embedding_length_per_layer_input', neutral: [0], feature: 'per-layer embeddings' },
  { key: 'attention.shared_kv_layers', neutral: [0], feature: 'KV caches shared by layers' },
  ...['head_count', 'key_length', 'top_k'].map((key) => {
    return { key: `attention.indexer.${key}`, neutral: [0], feature: 'sparse attention' };
  }),
  { key: 'rope.dimension_sections', neutral: [0], feature: 'multi-axis rope' },
  { key: 'rope.scaling.alpha', neutral: [0], feature: 'dynamic rope scaling' },
  { key: 'rope.scaling.yarn_log_multiplier', neutral: [0], feature: 'YaRN with a log multiplier' },
];

/** Keys that every model may have: hyperparameters.ts reads them, or they change nothing that is computed. */
const COMMON: readonly string[] = [
  'block_count',
  'context_length',
  'embedding_length',
  'feed_forward_length',
  'vocab_size',
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.value_length',
  'attention.layer_norm_epsilon',
  'attention.layer_norm_rms_epsilon',
  'attention.scale',
  'attention.sliding_window',
  'rope.dimension_count',
  'rope.freq_base',
  'rope.scale_linear',
  'rope.scaling.type',
  'rope.scaling.factor',
  'rope.scaling.attn_factor',
  'rope.scaling.original_context_length',
  'rope.scaling.finetuned',
  'rope.scaling.yarn_ext_factor',
  'rope.scaling.yarn_beta_fast',
  'rope.scaling.yarn_beta_slow',
  // Of uses that compute no logits, and of models with an encoder.
  'pooling_type',
  'decoder_start_token_id',
  'tensor_data_layout',
];

/** Errors: UnsupportedError that names the feature, the key and its value. */
export function refuseFeatures(file: GgufFile, architecture: Architecture): void {
  const { name } = architecture;
  const keys = takenKeys(architecture);
  refuse(file, 'general.type', ['model'], 'a file that is not a whole model');
  refuse(file, 'general.quantization_version', [2], 'a quantization format of another version');
  for (const { key, neutral, feature } of REFUSALS)
    if (!keys.includes(key)) refuse(file, `${name}.${key}`, neutral, feature);

  const routing = architecture.experts ? refuseRouting(file, name, architecture.experts.weightsOver) : [];
  const refused = REFUSALS.map(({ key }) => key);
  const known = new Set([...COMMON, ...keys, ...routing, ...refused].map((key) => `${name}.${key}`));
  for (const [key, entry] of file.metadata) {
    if (!key.startsWith(`${name}.`) || known.has(key)) continue;
    throw new UnsupportedError(
      file.path,
      `${name} with a hyperparameter that this compiler does not know`,
      `metadata key ${quote(key)} (${describe(entry)}) may change what the model computes`,
    );
  }
}

/** The keys that the architecture's description reads. */
export function takenKeys({ keys = [], experts }: Architecture): readonly string[] {
  return [...keys, ...(experts ? EXPERT_KEYS : []), ...(experts?.shared ? SHARED_EXPERT_KEYS : [])];
}

/**
 * How experts are weighted follows from the architecture, as in llama.cpp; these keys may only say the same: softmax is
 * 1, softmax of those chosen 3, which is also 1 with weights that are divided by their sum. Returns the keys.
 */
function refuseRouting(file: GgufFile, name: string, weightsOver: ExpertsSpec['weightsOver']): string[] {
  const chosen = weightsOver === 'chosen';
  refuse(file, `${name}.expert_gating_func`, chosen ? [0, 1, 3] : [0, 1], 'another way to weight experts');
  refuse(file, `${name}.expert_weights_norm`, chosen ? [false, true] : [false], 'another way to weight experts');
  return ['expert_gating_func', 'expert_weights_norm'];
}

/** What the REFUSALS say of a model of any architecture, but for these keys. */
export function refusedFeatures(file: GgufFile, architecture: string, taken: readonly string[]): string[] {
  return REFUSALS.filter(({ key, neutral }) => {
    const entry = file.metadata.get(`${architecture}.${key}`);
    return entry !== undefined && !taken.includes(key) && !isNeutral(entry, neutral);
  }).map(({ feature }) => feature);
}

/** The refusals whose neutral values depend on the model's shape. */
export function refuseShapeFeatures(file: GgufFile, { name, keys = [] }: Architecture, h: Hyperparameters): void {
  const scale = 1 / Math.sqrt(h.headSize);
  if (!keys.includes('attention.scale'))
    refuse(file, `${name}.attention.scale`, [0, scale, Math.fround(scale)], 'an attention scale');

  const window = file.metadata.getUint(`${name}.attention.sliding_window`);
  if (window && window < h.contextLength && !keys.includes('attention.sliding_window'))
    throw new UnsupportedError(
      file.path,
      `sliding-window attention of ${name} (${name}.attention.sliding_window is ${window}, context ${h.contextLength})`,
      'which of its layers have the window is not known',
    );
}

function refuse(file: GgufFile, key: string, neutral: readonly ScalarValue[], feature: string): void {
  const entry = file.metadata.get(key);
  if (entry === undefined || isNeutral(entry, neutral)) return;
  throw new UnsupportedError(
    file.path,
    feature,
    `metadata key "${key}" must be ${neutral.join(', ')} or absent, found ${describe(entry)}`,
  );
}

function isNeutral(entry: MetadataEntry, neutral: readonly ScalarValue[]): boolean {
  const values = entry.type === 'array' ? entry.elements() : [entry.value];
  for (const value of values) {
    const known = typeof value === 'bigint' ? Number(value) : value;
    if (typeof known === 'object' || !neutral.includes(known)) return false;
  }
  return true;
}
