/**
 * Metadata that changes what a model computes in ways that this compiler does not build. llama.cpp's key names.
 * Ignoring one would give wrong logits without a word, so anything but its neutral value is refused by name.
 */
import { UnsupportedError } from '../../runtime/common/errors.js';
import { quote } from '../../runtime/common/quote.js';
import type { GgufFile } from '../../runtime/files/gguf.js';
import { describe, type MetadataEntry, type ScalarValue } from '../../runtime/files/metadata.js';
import type { Architecture, ExpertRules } from './architectures/architecture.js';
import { expertKeys } from './experts.js';
import type { Hyperparameters } from './hyperparameters.js';

interface Refusal {
  /** Without the architecture's prefix. */
  readonly key: string;
  /** Values that change nothing. */
  readonly neutral: readonly ScalarValue[];
  readonly feature: string;
}

const REFUSALS: readonly Refusal[] = [
  ...of('mixture of experts', [0], 'expert_count', 'expert_used_count', 'expert_feed_forward_length'),
  ...of('a number of shared experts', [0], 'expert_shared_count'),
  ...of('a shared expert', [0], 'expert_shared_feed_forward_length'),
  ...of('groups of experts', [0, 1], 'expert_group_count', 'expert_group_used_count', 'experts_per_group'),
  ...of('chunks of experts', [0], 'expert_chunk_feed_forward_length'),
  ...of('experts behind a narrower layer', [0], 'expert_latent_length'),
  ...of('a scale of what experts give', [0, 1], 'expert_weights_scale'),
  // llama.cpp writes its default into every file that it saves itself.
  ...of('a scale of what groups of experts give', [0, 0.05, Math.fround(0.05)], 'expert_group_scale'),
  ...of('dense layers beside those with experts', [0], 'leading_dense_block_count'),
  ...of('dense layers beside those with experts', [0, 1], 'interleave_moe_layer_step', 'moe_every_n_layers'),
  ...of('multi-token prediction', [0], 'nextn_predict_layers'),
  ...of('deepstack', [0], 'n_deepstack_layers'),
  ...of('deepstack', [-1], 'deepstack_mapping'),
  ...of('an activation other than silu', ['silu'], 'hidden_activation'),
  ...of('clamped SwiGLU', [0], 'swiglu_clamp_exp', 'swiglu_clamp_shexp'),
  ...of('SiTU', [0, 1], 'activation.situ_beta', 'activation.situ_linear_beta'),
  ...of('a parallel residual', [false], 'use_parallel_residual'),
  ...of('Swin norm', [false], 'swin_norm'),
  ...of('rescaling of layers', [0], 'rescale_every_n_layers'),
  ...of('hyper-connections', [0], 'hyper_connection.count', 'hyper_connection.sinkhorn_iterations'),
  ...of('hyper-connections', [0], 'hyper_connection.epsilon', 'hyper_connection.magnitude'),
  ...of('hyper-connections', [0], 'hyper_connection.low_rank'),
  ...of('attention over blocks of residuals', [0], 'attn_res.block_size'),
  ...of('experts chosen by a hash', [0], 'hash_layer_count'),
  ...of('layers that run in cycles', [0], 'hrm.layers_per_stack', 'hrm.h_cycles', 'hrm.l_cycles'),
  ...of('layers that run in cycles', [false], 'hrm.prefix_lm', 'skip_loop_final_norm'),
  ...of('layers that run in cycles', [0, 1], 'num_loops'),
  ...of('an encoder beside the decoder', [0], 'decoder_block_count'),
  ...of('layers of a speech model', [0], 'posnet.embedding_length', 'posnet.block_count'),
  ...of('layers of a speech model', [0], 'convnext.embedding_length', 'convnext.block_count'),
  ...of('a logit scale', [0, 1], 'logit_scale'),
  ...of('an embedding scale', [0, 1], 'embedding_scale'),
  ...of('a residual scale', [0, 1], 'residual_scale'),
  // llama.cpp writes 50 and 30 into every file that it saves itself, and heeds them only where they are listed as keys.
  ...of('soft capping of attention', [0, 50], 'attn_logit_softcapping'),
  ...of('soft capping of logits', [0, 30], 'final_logit_softcapping'),
  ...of('soft capping of what chooses experts', [0, 30], 'router_logit_softcapping'),
  ...of('attention that is not causal', [true], 'attention.causal'),
  ...of('ALiBi', [0], 'attention.max_alibi_bias'),
  ...of('clamping of queries, keys and values', [0], 'attention.clamp_kqv'),
  ...of('an attention output scale', [0, 1], 'attention.output_scale'),
  ...of('an attention value scale', [0, 1], 'attention.value_scale'),
  ...of('attention temperature tuning', [0], 'attention.temperature_scale', 'attention.temperature_length'),
  ...of('multi-head latent attention', [0], 'attention.q_lora_rank', 'attention.kv_lora_rank'),
  ...of('multi-head latent attention', [0], 'attention.key_length_mla', 'attention.value_length_mla'),
  ...of('multi-head latent attention', [0], 'attention.key_length_mla_swa', 'attention.value_length_mla_swa'),
  ...of('multi-head latent attention', [0], 'attention.kv_lora_rank_swa'),
  ...of('an attention output of low rank', [0], 'attention.output_group_count', 'attention.output_lora_rank'),
  ...of('relative position buckets', [0], 'attention.relative_buckets_count'),
  ...of('group norm', [0], 'attention.group_norm_groups', 'attention.group_norm_epsilon'),
  ...of('layers without rope', [1, true], 'attention.rope_pattern'),
  ...of('RWKV time mixing', [0], 'attention.decay_lora_rank', 'attention.iclr_lora_rank', 'attention.gate_lora_rank'),
  ...of('RWKV time mixing', [0], 'attention.value_residual_mix_lora_rank', 'time_mix_extra_dim'),
  ...of('RWKV time mixing', [0], 'time_decay_extra_dim', 'wkv.head_size'),
  ...of('RWKV time mixing', [0, 2], 'token_shift_count'),
  ...of('state-space layers', [0], 'ssm.inner_size', 'ssm.conv_kernel', 'ssm.state_size', 'ssm.time_step_rank'),
  ...of('state-space layers', [0], 'ssm.group_count'),
  ...of('state-space layers', [false], 'ssm.dt_b_c_rms'),
  ...of('recurrent layers', [0, false], 'attention.recurrent_layers'),
  ...of('short convolutions', [0], 'shortconv.l_cache'),
  ...of('linear attention', [0], 'kda.head_dim', 'full_attention_interval'),
  ...of('linear attention', [false], 'kda.safe_gate'),
  ...of('linear attention', [0, Number.NEGATIVE_INFINITY], 'kda.gate_lower_bound'),
  ...of('per-layer embeddings', [0], 'embedding_length_per_layer_input'),
  ...of('KV caches shared by layers', [0], 'attention.shared_kv_layers'),
  ...of('sparse attention', [0], 'attention.indexer.head_count', 'attention.indexer.key_length'),
  ...of('sparse attention', [0], 'attention.indexer.top_k', 'attention.indexer.block_size'),
  ...of('sparse attention', [0, false], 'attention.indexer.local_blocks', 'attention.indexer.types'),
  ...of('compressed attention', [0], 'attention.compress_ratios', 'attention.compress_rope_freq_base'),
  ...of('multi-axis rope', [0], 'rope.dimension_sections'),
  ...of('dynamic rope scaling', [0], 'rope.scaling.alpha'),
  ...of('YaRN with a log multiplier', [0], 'rope.scaling.yarn_log_multiplier'),
  ...of('YaRN with an attention factor', [1], 'rope.scaling.yarn_attn_factor'),
  ...of('dense layers after the output', [0], 'dense_2_feat_in', 'dense_2_feat_out'),
  ...of('dense layers after the output', [0], 'dense_3_feat_in', 'dense_3_feat_out'),
];

/** What transformers heeds in its own files, and llama.cpp in no architecture here. */
const REFUSED_IN_GGUF: readonly Refusal[] = [
  ...of('YaRN with ends of its own', [32], 'rope.scaling.yarn_beta_fast'),
  ...of('YaRN with ends of its own', [1], 'rope.scaling.yarn_beta_slow'),
  ...of('YaRN in part', [-1, 1], 'rope.scaling.yarn_ext_factor'),
];

function of(feature: string, neutral: readonly ScalarValue[], ...keys: readonly string[]): Refusal[] {
  return keys.map((key) => ({ key, neutral, feature }));
}

/** Of layers with a window, and what they may only repeat. */
const OF_WINDOWED_LAYERS = [
  ['attention.key_length_swa', 'headSize'],
  ['attention.value_length_swa', 'headSize'],
  ['rope.dimension_count_swa', 'ropeDimensions'],
  ['rope.freq_base_swa', 'ropeBase'],
] as const;

/** Keys that every model may have: hyperparameters.ts reads them, or they change nothing that is computed. */
const COMMON: readonly string[] = [
  ...OF_WINDOWED_LAYERS.map(([key]) => key),
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
  'classifier.output_labels',
  'decoder_start_token_id',
  'tensor_data_layout',
];

/** Errors: UnsupportedError that names the feature, the key and its value. */
export function refuseFeatures(file: GgufFile, architecture: Architecture): void {
  const { name } = architecture;
  const keys = takenKeys(architecture);
  refuse(file, 'general.type', ['model'], 'a file that is not a whole model');
  refuse(file, 'general.quantization_version', [2], 'a quantization format of another version');
  for (const { key, neutral, feature } of [...REFUSALS, ...(file.stated ? [] : REFUSED_IN_GGUF)])
    if (!keys.includes(key)) refuse(file, `${name}.${key}`, neutral, feature);

  const routing = refuseRouting(file, name, architecture.experts);
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
export function takenKeys({ keys = [], experts, nextn }: Architecture): readonly string[] {
  return [...keys, ...(experts ? expertKeys(experts) : []), ...(nextn ? ['nextn_predict_layers'] : [])];
}

/**
 * How experts are weighted follows from the architecture, as in llama.cpp; these keys may only say the same: softmax is
 * 1, softmax of those chosen 3, which is also 1 with weights that are divided by their sum. Returns the keys.
 */
function refuseRouting(
  file: GgufFile,
  name: string,
  { weightsOver, gating: stated }: Partial<ExpertRules> = {},
): string[] {
  const gating = stated === 'sigmoid' ? [0, 1, 2] : stated ? [1, 2] : weightsOver === 'chosen' ? [0, 1, 3] : [0, 1];
  refuse(file, `${name}.expert_gating_func`, gating, 'another way to weight experts');
  const norm = weightsOver === 'all' ? [false] : [false, true];
  refuse(file, `${name}.expert_weights_norm`, norm, 'another way to weight experts');
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
  for (const [key, of] of OF_WINDOWED_LAYERS)
    if (!keys.includes(key)) refuse(file, `${name}.${key}`, [0, h[of]], 'other heads or rope in layers with a window');

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

export function isNeutral(entry: MetadataEntry, neutral: readonly ScalarValue[]): boolean {
  const values = entry.type === 'array' ? entry.elements() : [entry.value];
  for (const value of values) {
    const known = typeof value === 'bigint' ? Number(value) : value;
    if (typeof known === 'object' || !neutral.includes(known)) return false;
  }
  return true;
}
