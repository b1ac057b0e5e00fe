/**
 * config.json of published models is taken. test/fixtures/published_configs.json has their keys and values, one model a line;
 * only the lists of longrope's factors are made up.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { UnsupportedError } from '../../runtime/common/errors.js';
import type { JsonObject } from '../../runtime/files/json.js';
import { readModel } from '../../runtime/files/read.js';
import { readConfig } from '../../runtime/files/safetensors/config.js';
import { MODEL_TYPE_NAMES } from '../../runtime/files/safetensors/models/index.js';
import { type Config, configOf, TRANSFORMERS_NAMES, withConfig } from '../support/transformers_models.js';

const PUBLISHED: Readonly<Record<string, Config>> = JSON.parse(
  readFileSync(new URL('../fixtures/published_configs.json', import.meta.url), 'utf8'),
);
const NAMES = Object.keys(PUBLISHED);
const read = (name: string, changes: Config = {}) =>
  readConfig('config.json', { ...PUBLISHED[name], ...changes } as JsonObject);
const keyOf = (name: string, key: string) => read(name).keys.find((one) => one.key === key)?.value;

test('there is one of every model type', () => {
  const types = NAMES.map((name) => PUBLISHED[name]!.model_type);
  // gemma3_text is also the text part of gemma3.
  expect(MODEL_TYPE_NAMES.filter((type) => !types.includes(type))).toEqual([]);
});

test.each(NAMES)('%s is taken', (name) => {
  const config = PUBLISHED[name]!;
  expect(read(name).keys).toContainEqual(
    expect.objectContaining({
      key: 'embedding_length',
      value: config.hidden_size ?? (config.text_config as Config).hidden_size,
    }),
  );
});

/** Keys that say what the tensors of a small model must be, or repeat it. */
const SIZES = [
  ...[
    'hidden_size',
    'intermediate_size',
    'num_hidden_layers',
    'num_attention_heads',
    'num_key_value_heads',
    'head_dim',
  ],
  ...['vocab_size', 'max_position_embeddings', 'kv_channels', 'attention_head_dim', 'rotary_dim', 'layer_types'],
  ...['no_rope_layers', 'attn_type_list', 'tie_word_embeddings', 'use_embedding_sharing', 'attention_bias', 'mlp_bias'],
  ...['use_qkv_bias', 'use_parallel_residual', 'num_experts', 'num_local_experts', 'num_experts_per_tok'],
  ...['experts_per_token', 'moe_intermediate_size', 'shared_expert_intermediate_size', 'moe_topk', 'num_shared_expert'],
  ...['moe_num_experts', 'moe_k', 'moe_num_shared_experts', 'moe_layer_start_index', 'moe_layer_end_index'],
  ...['n_routed_experts', 'n_shared_experts', 'first_k_dense_replace', 'quantization_config', 'sliding_window'],
  ...['sliding_window_size', 'partial_rotary_factor', 'rotary_pct', 'rope_pct', 'rope_scaling'],
];

describe('a small model with the other keys of a published one is built', () => {
  const fixtureOf = (type: unknown) => TRANSFORMERS_NAMES.find((name) => configOf(name).model_type === type);
  const models = MODEL_TYPE_NAMES.map((type) => {
    return [type, NAMES.findLast((name) => PUBLISHED[name]!.model_type === type)!] as const;
  });
  test.each(models)('%s: %s', (type, name) => {
    const fixture = fixtureOf(type)!;
    const own = configOf(fixture);
    const sizes = Object.fromEntries(SIZES.map((key) => [key, own[key]]));
    const { rope_theta, rotary_emb_base } = PUBLISHED[name]!;
    const rope = (rope_theta ?? rotary_emb_base) === undefined ? {} : { rope_parameters: undefined };
    const folder = withConfig(fixture, {
      ...{ ...PUBLISHED[name], ...sizes, ...rope },
      ...(type === 'gpt_oss' && { rope_scaling: PUBLISHED[name]!.rope_scaling }),
    });
    expect(modelSpec(readModel(folder)).layers).toHaveLength(own.num_hidden_layers as number);
  });
});

test('what their keys mean', () => {
  expect(keyOf('deepseek-ai/DeepSeek-R1-0528-Qwen3-8B', 'rope.scaling.attn_factor')).toBeCloseTo(
    0.8782488562869419,
    12,
  );
  expect(keyOf('google/gemma-3-4b-it', 'attention.head_count')).toBe(8);
  expect(keyOf('google/gemma-3-27b-it', 'attention.key_length')).toBe(128);
  expect(keyOf('llama-7b before max_position_embeddings', 'context_length')).toBe(2048);
  expect(keyOf('llama-7b before max_position_embeddings', 'attention.head_count_kv')).toBe(32);
  expect(keyOf('EleutherAI/gpt-neox-20b', 'rope.dimension_count')).toBe(24);
  expect(keyOf('microsoft/Phi-4-mini-instruct', 'rope.dimension_count')).toBe(96);
  expect(keyOf('MiniMaxAI/MiniMax-M2 without its quantization', 'rope.dimension_count')).toBe(64);
  expect(keyOf('tencent/Hunyuan-7B-Instruct', 'rope.freq_base')).toBeCloseTo(11158839.93, 1);
  const windows = (name: string) => read(name).stated.windows;
  expect(windows('mistralai/Mistral-7B-v0.1')).toEqual(Array(32).fill(4096));
  expect(windows('mistralai/Mistral-7B-Instruct-v0.3')).toEqual(Array(32).fill(undefined));
  expect(windows('Qwen/Qwen2.5-7B-Instruct')).toEqual(Array(28).fill(undefined));
  expect(windows('google/gemma-3-1b-it').slice(3, 7)).toEqual([512, 512, undefined, 512]);
  expect(read('meta-llama/Llama-3.2-1B').tied).toBe(true);
  expect(read('meta-llama/Llama-3.1-8B-Instruct').tied).toBe(false);
  expect(read('bigcode/starcoder2-3b').tied).toBe(true);
  expect(read('bigcode/starcoder2-3b', { tie_word_embeddings: null }).tied).toBe(false);
});

const LLAMA = 'meta-llama/Llama-3.1-8B-Instruct';
const QWEN2 = 'Qwen/Qwen2.5-7B-Instruct';
const QWEN3 = 'Qwen/Qwen3-8B';
const MISTRAL = 'mistralai/Mistral-7B-v0.1';
const PHI4 = 'microsoft/Phi-4-mini-instruct';
const STARCODER = 'bigcode/starcoder2-15b';

describe('the same key with another value is refused by name', () => {
  test.each<[string, Config, string]>([
    [QWEN2, { use_mrope: true }, 'multi-axis rope'],
    [QWEN2, { qkv_bias: false }, 'attention without biases'],
    [
      QWEN2,
      { dual_chunk_attention_config: { chunk_size: 262144 } },
      'key "dual_chunk_attention_config" (an object) may',
    ],
    [QWEN2, { layer_types: ['full_attention'] }, 'expected one of each of 28 layers'],
    [QWEN3, { use_qk_norm: false }, 'attention without norms of heads'],
    [QWEN3, { rope_scaling: { type: 'yarn', factor: 4, extrapolation_factor: 0.5 } }, 'YaRN in part'],
    [QWEN3, { rope_scaling: { type: 'linear', factor: 2, attn_factor: 2 } }, 'rope_scaling.attn_factor'],
    ['Qwen/Qwen3-Coder-30B-A3B-Instruct', { shared_expert_intermediate_size: 512 }, 'experts in a dense model'],
    ['Qwen/Qwen3-Coder-30B-A3B-Instruct', { decoder_sparse_step: 2 }, 'dense layers beside'],
    ['HuggingFaceTB/SmolLM2-1.7B-Instruct', { rope_interleaved: true }, 'pairs of rope that are neighbours'],
    ['THUDM/GLM-4-9B-0414', { rope_interleaved: false }, 'pairs of rope that are no neighbours'],
    [PHI4, { full_attn_mod: 2 }, 'attention that is full in some layers'],
    [PHI4, { interpolate_factor: 2 }, 'positions that count otherwise'],
    [PHI4, { lm_head_bias: true }, 'a bias of the logits'],
    [PHI4, { mlp_bias: true }, 'biases of the feed-forward'],
    [PHI4, { original_max_position_embeddings: 'a' }, 'key "original_max_position_embeddings": expected a number'],
    ['microsoft/phi-2', { lm_head_bias: false }, 'logits without a bias'],
    [STARCODER, { mlp_type: 'gated' }, 'another feed-forward'],
    [STARCODER, { norm_type: 'rms' }, 'other norms'],
    [STARCODER, { rms_norm_eps: 1e-6 }, 'two epsilons of the norms'],
    ['stabilityai/stable-code-3b', { rotary_scaling_factor: 4 }, 'positions that count otherwise'],
    ['stabilityai/stable-code-3b', { rope_pct: 0.5 }, 'two parts of each head that are rotated'],
    ["baidu/ERNIE-4.5-0.3B in the publisher's keys", { compression_ratio: 2 }, 'positions that count otherwise'],
    ["baidu/ERNIE-4.5-0.3B in the publisher's keys", { use_rmsnorm: false }, 'other norms'],
    ['baidu/ERNIE-4.5-21B-A3B-PT', { moe_gate_act: 'sigmoid' }, 'weights of experts by other than softmax'],
    ['baidu/ERNIE-4.5-21B-A3B-PT', { moe_k: 6, num_experts_per_tok: 8 }, 'two values of moe_k'],
    ['nvidia/Minitron-4B-Base', { kv_channels: 64 }, 'two sizes of heads'],
    ['tencent/Hunyuan-A13B-Instruct', { routed_scaling_factor: 2.5 }, 'a scale of what experts give'],
    ['tencent/Hunyuan-A13B-Instruct', { kv_lora_rank: 512 }, 'multi-head latent attention'],
    ['google/gemma-2-9b-it', { sliding_window_size: 2048 }, 'two sizes of a window'],
    ['google/gemma-3-4b-it', { architectures: ['Gemma3ForSequenceClassification'] }, 'Gemma3ForSequenceClassification'],
    ['google/gemma-3-4b-it', { quantization_config: { bits: 4 } }, 'quantized already'],
    ['google/gemma-3-1b-it', { sliding_window: null }, 'layers with a window of no size'],
    ['EleutherAI/pythia-160m', { num_key_value_heads: 4 }, 'queries that share keys'],
    ['EleutherAI/pythia-160m', { hidden_act: 'gelu_10' }, 'an activation other than'],
    [LLAMA, { quantization: { bits: 4, group_size: 64 } }, 'quantized already'],
    [LLAMA, { num_experts: 8 }, 'experts in a dense model'],
    [LLAMA, { layer_types: Array(32).fill('sliding_attention') }, 'layers with a window'],
    [LLAMA, { is_causal: false }, 'attention that is not causal'],
    [LLAMA, { logits_scaling: 8 }, 'a scale of the logits'],
    [LLAMA, { attention_multiplier: 0.5 }, 'a scale of attention'],
    [LLAMA, { rotary_pct: 0.5 }, 'two parts of each head that are rotated'],
    [LLAMA, { head_size: 64 }, 'two sizes of heads'],
    [LLAMA, { rope_parameters: { rope_type: 'default', rope_theta: 1 } }, 'two rope scalings'],
    [LLAMA, { original_max_position_embeddings: 4096 }, 'two original contexts'],
    [LLAMA, { sliding_window: 4096 }, 'key "sliding_window" (4096) may change'],
    [LLAMA, { use_sliding_window: true }, 'windows'],
    [LLAMA, { per_layer_config: [{}] }, 'key "per_layer_config"'],
    [LLAMA, { __proto__: 1, constructor: 1 }, 'key "constructor" (1) may change'],
    [MISTRAL, { layer_types: Array(16).fill(['full_attention', 'sliding_attention']).flat() }, 'beside others'],
    [MISTRAL, { use_sliding_window: false }, 'layers with a window that is not to be used'],
    [MISTRAL, { max_window_layers: 28 }, 'windows of some layers'],
    ['allenai/Olmo-3-7B-Instruct', { rope_theta: null }, 'key "rope_theta": expected a value'],
  ])('%s %j', (name, changes, message) => {
    expect(() => read(name, changes)).toThrow(message);
    if (!message.startsWith('key') && !message.startsWith('expected'))
      expect(() => read(name, changes)).toThrow(UnsupportedError);
  });
});

test('keys that say nothing of the forward pass are taken whatever they say', () => {
  const values = [true, false, 0, 0.5, 'text', ['a'], { a: 1 }];
  const keys = [
    ...['attn_dropout', 'ffn_dropout_prob', 'emb_pdrop', 'classifier_dropout', 'drop_path_rate', 'layerdrop'],
    ...['image_token_id', 'mask_token_ids', 'router_z_loss_coef', 'aux_loss_alpha', 'fuse_anything', 'use_fused_rope'],
    ...['num_beams', 'temperature', 'guidance_scale', 'base_model_tp_plan', 'transformers.js_config', '_commit_hash'],
  ];
  for (const key of keys)
    for (const value of values) expect(read(LLAMA, { [key]: value }).architecture, `${key} ${value}`).toBe('llama');
});

test('what other programs call the same is taken where it says the same', () => {
  const { keys } = read(LLAMA);
  const same = {
    n_layer: 32,
    n_head: 32,
    num_kv_heads: 8,
    d_model: 4096,
    ffn_dim: 14336,
    rope_base: 500000,
    norm_eps: 1e-5,
  };
  const neutral = { rotary_pct: 1, rotary_dim: 128, attention_multiplier: 1 / Math.sqrt(128), sliding_window: 131072 };
  expect(read(LLAMA, { ...same, ...neutral, layer_types: Array(32).fill('full_attention') }).keys).toEqual(keys);
});
