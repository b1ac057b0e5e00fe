/** config.json: what is read from it in both of transformers' spellings, and what is refused by name. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectFile as inspect } from '../../compiler/model/inspect.js';
import { modelSpec } from '../../compiler/model/load.js';
import { CompileError, ModelFileError, UnsupportedError } from '../../runtime/common/errors.js';
import { readModel } from '../../runtime/files/read.js';
import { F32_PAIR, safetensorsFile, writeFolder } from '../support/safetensors_writer.js';
import { temporaryFolder } from '../support/tiny_models.js';
import {
  type Config,
  comparable,
  configOf,
  old,
  readTransformersModel,
  withConfig,
  withVision,
} from '../support/transformers_models.js';

describe("transformers 4's spelling means the same", () => {
  const YARN = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 128 };
  const longrope = configOf('phi3-longrope').rope_parameters as Config;
  test.each<[string, Config]>([
    ['llama', old()],
    ['llama-linear', old({ type: 'linear', factor: 4 }, { head_dim: undefined })],
    ['llama-yarn', old(YARN)],
    [
      'llama-llama3',
      old({ ...(configOf('llama-llama3').rope_parameters as Config), rope_theta: undefined }, { rope_theta: 500000 }),
    ],
    [
      'phi3-longrope',
      old({ type: 'longrope', long_factor: longrope.long_factor, short_factor: longrope.short_factor }),
    ],
    ['stablelm', old(undefined, { partial_rotary_factor: 0.25 })],
    ['gemma2', old(undefined, { layer_types: undefined, use_bidirectional_attention: undefined })],
    ['olmo3', old(YARN, { rope_theta: 500000, layer_types: undefined })],
    [
      'gpt-oss',
      old(
        { ...(configOf('gpt-oss').rope_parameters as Config), rope_theta: undefined },
        { rope_theta: 150000, layer_types: undefined, attention_bias: undefined, head_dim: 32 },
      ),
    ],
    ['gemma3', old({ rope_type: 'linear', factor: 8 }, { rope_theta: 1e6, rope_local_base_freq: 10000 })],
  ])('%s', (name, changes) => {
    expect(comparable(withConfig(name, changes))).toEqual(comparable(readTransformersModel(name).folder));
  });
});

test('weights of experts over all or over those chosen, as norm_topk_prob says', () => {
  const weightsOver = (name: string, config: Config) =>
    modelSpec(readModel(withConfig(name, config))).experts!.weightsOver;
  for (const name of ['qwen2moe', 'qwen3moe', 'olmoe'])
    for (const [norm, over] of [
      [true, 'chosen'],
      [false, 'all'],
      [undefined, 'all'],
    ] as const)
      expect(weightsOver(name, { norm_topk_prob: norm }), `${name} ${norm}`).toBe(over);
  expect(weightsOver('mixtral', { norm_topk_prob: false })).toBe('chosen');
});

test('without head_dim the heads of qwen3_moe share the embedding, those of qwen3 are 128 wide', () => {
  expect(modelSpec(readModel(withConfig('qwen3moe-window', { head_dim: undefined }))).headSize).toBe(32);
  const qwen3 = withConfig('qwen3', { head_dim: undefined });
  expect(() => modelSpec(readModel(qwen3))).toThrow('attn_q.weight of shape [64, 512]');
});

describe('refused by name', () => {
  test.each<[string, string, Config, string]>([
    ['a key that nobody knows', 'llama', { clever_new_scale: 2 }, 'key "clever_new_scale" (2) may change'],
    ['a window that llama does not have', 'llama', { sliding_window: 16 }, 'key "sliding_window" (16) may change'],
    ['another activation', 'llama', { hidden_act: 'relu' }, 'an activation other than silu'],
    ['another use', 'llama', { architectures: ['LlamaForSequenceClassification'] }, 'LlamaForSequenceClassification'],
    ['weights quantized already', 'llama', { quantization_config: { quant_method: 'gptq' } }, 'quantized already'],
    ['dynamic rope', 'llama', { rope_parameters: { rope_type: 'dynamic', factor: 2 } }, 'rope scaling of this type'],
    [
      'an unknown rope setting',
      'llama',
      { rope_parameters: { rope_type: 'default', twist: 1 } },
      'rope_parameters.twist',
    ],
    ['a part of llama heads', 'llama', { partial_rotary_factor: 0.5 }, 'rope of a part of each head'],
    ['a parallel residual', 'stablelm', { use_parallel_residual: true }, 'a parallel residual'],
    ['norms of heads', 'stablelm', { qk_layernorm: true }, 'LayerNorm of query and key heads'],
    ['attention both ways', 'gemma3', { use_bidirectional_attention: true }, 'attention that is not causal'],
    ['another kind of layer', 'qwen2', { layer_types: ['full_attention', 'linear_attention'] }, '"linear_attention"'],
    ['rope elsewhere', 'smollm3', { no_rope_layers: [0, 1, 1, 1] }, 'rope in other layers'],
    ['dense layers among experts', 'qwen3moe', { mlp_only_layers: [0] }, 'dense layers beside'],
    [
      'a window that is not to be used',
      'smollm3',
      { sliding_window: 8, layer_types: ['sliding_attention', ...Array(3).fill('full_attention')] },
      'layers with a window that is not to be used',
    ],
    ['windows of some layers', 'qwen3moe-window', { max_window_layers: 1 }, 'windows of some layers'],
    [
      'windows that versions differ in',
      'qwen2moe',
      { use_sliding_window: true, layer_types: undefined },
      'windows without',
    ],
    [
      'ends of YaRN where nobody reads them',
      'olmo3',
      {
        rope_parameters: {
          ...(configOf('olmo3').rope_parameters as Config),
          full_attention: {
            ...(configOf('olmo3').rope_parameters as Record<string, Config>).full_attention,
            truncate: false,
          },
        },
      },
      'YaRN with unrounded ends in one kind of layers',
    ],
    ['MXFP4 of another model', 'llama', { quantization_config: { quant_method: 'mxfp4' } }, 'quantized already'],
    ['another quantization', 'gpt-oss', { quantization_config: { quant_method: 'gptq' } }, 'quantized already'],
    ['another limit of SwiGLU', 'gpt-oss', { swiglu_limit: 6 }, 'another limit of SwiGLU'],
    ['another slope of SwiGLU', 'gpt-oss', { swiglu_alpha: 1 }, 'another slope of SwiGLU'],
    ['attention without biases', 'gpt-oss', { attention_bias: false }, 'attention without biases'],
    ['two numbers of experts', 'gpt-oss', { experts_per_token: 4 }, 'two numbers of experts'],
    ['clamped queries', 'olmoe', { clip_qkv: 8 }, 'clamping'],
  ])('%s', (_, name, changes, message) => {
    const folder = withConfig(name, changes);
    expect(() => readModel(folder)).toThrow(UnsupportedError);
    expect(() => readModel(folder)).toThrow(message);
    expect(inspect(folder).refusal).toContain(message);
  });

  /** As their publishers' files have it, in short. */
  test.each<[string, Config, string]>([
    ['mamba', { state_size: 16, time_step_rank: 48 }, 'state-space layers'],
    ['rwkv', { attention_hidden_size: 768, rescale_every: 6 }, 'RWKV time mixing'],
    ['qwen3_next', { linear_conv_kernel_dim: 4, num_experts: 512 }, 'linear attention (gated delta net), which'],
    ['deepseek_v3', { kv_lora_rank: 512, n_routed_experts: 256 }, 'multi-head latent attention, which'],
    ['bert', { type_vocab_size: 2 }, 'attention that is not causal'],
    ['t5', { is_encoder_decoder: true }, 'an encoder beside the decoder'],
    ['gpt2', { n_positions: 1024 }, 'position embeddings other than rope'],
    ['paligemma', { vision_config: { hidden_size: 1152 } }, 'vision parts'],
    ['constructor', {}, 'supported are llama'],
  ])('%s, and inspect works', (type, keys, missing) => {
    const folder = writeFolder(mkdtempSync(join(temporaryFolder, 'foreign-')), {
      'config.json': { model_type: type, ...keys },
      'model.safetensors': safetensorsFile({ 'some.weight': F32_PAIR }, Buffer.alloc(8)),
    });
    expect(() => readModel(folder)).toThrow(`model type "${type}" is not supported`);
    expect(() => readModel(folder)).toThrow(missing);
    const { refusal, tensors, memory } = inspect(folder);
    expect(refusal).toContain(missing);
    expect(tensors).toEqual([expect.objectContaining({ name: 'some.weight', type: 'F32', shape: [1, 2], bytes: 8 })]);
    expect(memory).toEqual({ weightsBytes: 8, kvCache: null });
  });
});

describe('a model with a vision part is its text part', () => {
  /** Where the tensors are in the file, counted from its data. */
  function tensors(folder: string) {
    const read = readModel(folder).tensors;
    const first = Math.min(...read.map(({ offset }) => offset));
    return read.map((tensor) => ({ ...tensor, offset: tensor.offset - first })).sort((a, b) => a.offset - b.offset);
  }

  test.each(['language_model.model.', 'model.language_model.'])('%s', (prefix) => {
    const text = readTransformersModel('gemma3').folder;
    const folder = withVision(prefix);
    expect(comparable(folder)).toEqual(comparable(text));
    expect(tensors(folder)).toEqual(tensors(text));
  });

  test('what its config.json leaves out is as in Gemma3TextConfig', () => {
    const names = ['num_attention_heads', 'num_key_value_heads', 'head_dim', 'vocab_size', 'max_position_embeddings'];
    const absent = Object.fromEntries(names.map((name) => [name, undefined]));
    const { metadata } = readModel(withVision('language_model.model.', {}, absent));
    const value = (key: string) => metadata.get(`gemma3.${key}`);
    expect(value('attention.head_count')).toMatchObject({ value: 8 });
    expect(value('attention.head_count_kv')).toMatchObject({ value: 4 });
    expect(value('attention.key_length')).toMatchObject({ value: 256 });
    expect(value('vocab_size')).toMatchObject({ value: 262208 });
    expect(value('context_length')).toMatchObject({ value: 131072 });
  });

  test.each<[string, Config, Config, string]>([
    ['no text part', { text_config: undefined }, {}, 'key "text_config": expected a value, found none'],
    ['another text part', {}, { model_type: 'gemma2' }, 'a text part of the model type "gemma2"'],
    ['an unknown setting beside', { audio_config: {} }, {}, 'key "audio_config"'],
    ['an unknown setting inside', {}, { layer_scale: 2 }, 'key "text_config.layer_scale"'],
    ['a text for a number', {}, { hidden_size: '64' }, 'key "text_config.hidden_size"'],
  ])('%s', (_, changes, own, message) => {
    expect(() => readModel(withVision('language_model.model.', changes, own))).toThrow(message);
  });
});

test('gpt-oss without a word of its rope, for which its class has one of its own', () => {
  const folder = withConfig('gpt-oss', { rope_parameters: undefined });
  expect(() => readModel(folder)).toThrow('key "rope_scaling": expected a value, found none');
});

describe('what contradicts itself names the key or the file', () => {
  test.each<[string, Config, string]>([
    ['no layers', { num_hidden_layers: undefined }, 'key "num_hidden_layers": expected a value, found none'],
    ['no layers at all', { num_hidden_layers: 0 }, 'found 0'],
    ['too many layers', { num_hidden_layers: 1e9 }, 'key "num_hidden_layers": expected 1 to 65536'],
    ['more layers than tensors', { num_hidden_layers: 500 }, 'key "num_hidden_layers"'],
    ['a text for a number', { hidden_size: '64' }, 'key "hidden_size": expected an unsigned integer, found "64"'],
    ['heads that do not fit', { num_key_value_heads: 3 }, 'key "num_key_value_heads": expected a divisor'],
    ['another width', { hidden_size: 128 }, 'expected token_embd.weight of shape'],
    ['another vocabulary', { vocab_size: 100 }, 'key "vocab_size"'],
    ['an epsilon below zero', { rms_norm_eps: -1 }, 'key "rms_norm_eps": expected a finite number, 0 or above'],
    [
      'layer_types too short',
      { layer_types: ['full_attention'] },
      'key "layer_types": expected one of each of 2 layers',
    ],
  ])('%s', (_, changes, message) => {
    const folder = withConfig('llama', changes);
    expect(() => modelSpec(readModel(folder))).toThrow(ModelFileError);
    expect(() => modelSpec(readModel(folder))).toThrow(message);
  });

  test.each<[string, Record<string, Uint8Array | string | object>, string]>([
    ['no config.json', {}, 'found no config.json'],
    ['no weights', { 'config.json': '{}' }, 'model.safetensors.index.json, found neither'],
    ['config.json that is a list', { 'config.json': '[]' }, 'expected a JSON object, found a list of 0'],
    ['a key twice', { 'config.json': '{"a": 1, "a": 1}' }, 'found "a" a second time'],
    [
      'an index without a map',
      { 'config.json': '{}', 'model.safetensors.index.json': '{}' },
      'file names by tensor name',
    ],
    [
      'a path for a name',
      { 'config.json': '{}', 'model.safetensors.index.json': { weight_map: { a: '../b.safetensors' } } },
      'expected the name of a safetensors file for "a"',
    ],
    [
      'a tensor in another shard',
      {
        'config.json': '{}',
        'model.safetensors.index.json': { weight_map: { b: 's.safetensors' } },
        's.safetensors': safetensorsFile({ a: F32_PAIR }, Buffer.alloc(8)),
      },
      'expected "b" in s.safetensors',
    ],
  ])('%s', (_, files, message) => {
    const folder = writeFolder(mkdtempSync(join(temporaryFolder, 'odd-')), files);
    expect(() => readModel(folder)).toThrow(CompileError);
    expect(() => readModel(folder)).toThrow(message);
  });

  test('a file of a folder, and --quantize of a GGUF file', () => {
    const { folder } = readTransformersModel('llama');
    expect(() => readModel(join(folder, 'model.safetensors'))).toThrow('name the folder');
    expect(() => readModel('model.gguf', 'q8_0')).toThrow('--quantize is not supported');
  });
});
