/**
 * Metadata that changes what a model computes in ways that this compiler does not build. llama.cpp's key names.
 * Ignoring one would give wrong logits without a word, so anything but its neutral value is refused by name.
 */
import { UnsupportedError } from '../errors.js';
import type { GgufFile } from './gguf.js';
import type { Hyperparameters } from './hyperparameters.js';
import { describe, type MetadataEntry, type ScalarValue } from './metadata.js';

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
  { key: 'expert_shared_count', neutral: [0], feature: 'mixture of experts' },
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
  { key: 'attn_logit_softcapping', neutral: [0], feature: 'soft capping of attention' },
  { key: 'final_logit_softcapping', neutral: [0], feature: 'soft capping of logits' },
  { key: 'attention.causal', neutral: [true], feature: 'attention that is not causal' },
  { key: 'attention.max_alibi_bias', neutral: [0], feature: 'ALiBi' },
  { key: 'attention.clamp_kqv', neutral: [0], feature: 'clamping of queries, keys and values' },
  { key: 'attention.output_scale', neutral: [0, 1], feature: 'an attention output scale' },
  { key: 'attention.value_scale', neutral: [0, 1], feature: 'an attention value scale' },
  { key: 'attention.temperature_scale', neutral: [0], feature: 'attention temperature tuning' },
  { key: 'attention.temperature_length', neutral: [0], feature: 'attention temperature tuning' },
  { key: 'attention.q_lora_rank', neutral: [0], feature: 'multi-head latent attention' },
  { key: 'attention.kv_lora_rank', neutral: [0], feature: 'multi-head latent attention' },
  { key: 'attention.shared_kv_layers', neutral: [0], feature: 'KV caches shared by layers' },
  { key: 'attention.indexer.head_count', neutral: [0], feature: 'sparse attention' },
  { key: 'rope.dimension_sections', neutral: [0], feature: 'multi-axis rope' },
  { key: 'rope.scaling.type', neutral: ['none'], feature: 'rope scaling' },
  { key: 'rope.scaling.factor', neutral: [0, 1], feature: 'rope scaling' },
  { key: 'rope.scaling.alpha', neutral: [0], feature: 'rope scaling' },
  { key: 'rope.scaling.attn_factor', neutral: [1], feature: 'rope scaling' },
  { key: 'rope.scale_linear', neutral: [0, 1], feature: 'rope scaling' },
];

/** Errors: UnsupportedError that names the feature, the key and its value. */
export function refuseFeatures(file: GgufFile, architecture: string): void {
  const { metadata } = file;
  refuse(file, 'general.type', ['model'], 'a file that is not a whole model');
  refuse(file, 'split.count', [0, 1], 'a model split over several files (merge it with llama-gguf-split --merge)');
  refuse(file, 'general.quantization_version', [2], 'a quantization format of another version');
  // llama.cpp reads no factor where the type says that there is no scaling.
  const scaling = metadata.get(`${architecture}.rope.scaling.type`);
  const unscaled = scaling !== undefined && isNeutral(scaling, ['none']);
  for (const { key, neutral, feature } of REFUSALS) {
    if (unscaled && key === 'rope.scaling.factor') continue;
    refuse(file, `${architecture}.${key}`, neutral, feature);
  }
}

/** The refusals whose neutral values depend on the model's shape. */
export function refuseShapeFeatures(file: GgufFile, architecture: string, h: Hyperparameters): void {
  const scale = 1 / Math.sqrt(h.headSize);
  refuse(file, `${architecture}.attention.scale`, [0, scale, Math.fround(scale)], 'an attention scale');

  const window = file.metadata.getUint(`${architecture}.attention.sliding_window`);
  if (window !== undefined && window > 0 && window < h.contextLength) {
    throw new UnsupportedError(
      file.path,
      `sliding-window attention (${architecture}.attention.sliding_window is ${window}, context ${h.contextLength})`,
      'attention here is over the whole context',
    );
  }
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
