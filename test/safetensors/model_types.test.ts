/** What config.json of one model type says that those of others do not: read, or refused by name. */
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { ModelFileError, UnsupportedError } from '../../runtime/common/errors.js';
import { readModel } from '../../runtime/files/read.js';
import {
  type Config,
  comparable,
  old,
  readTransformersModel,
  withConfig,
  withTensors,
} from '../support/transformers_models.js';

const LOCAL_AND_FULL = ['sliding_attention', 'full_attention'];

describe("the publishers' own files mean the same", () => {
  const hunyuan = (changes: Config = {}) =>
    old(
      { type: 'dynamic', alpha: 1000, beta_fast: 32, beta_slow: 1, factor: 1, mscale: 1, mscale_all_dim: 1 },
      {
        ...{ attention_head_dim: 32, cla_share_factor: 2, im_end_id: 5, mask_init_id: 12, mlp_bias: false },
        ...{ norm_type: 'rms', use_cla: false, use_qk_norm: true, use_rotary_pos_emb: true },
        ...changes,
      },
    );
  const pythia = (rotary_pct?: number, changes: Config = {}) =>
    old(undefined, {
      rope_theta: undefined,
      rotary_emb_base: 10000,
      rotary_pct,
      attention_bias: undefined,
      ...changes,
    });
  test.each<[string, Config]>([
    ['cohere', old(undefined, { rope_theta: 8e6, model_max_length: 131072 })],
    [
      'cohere2',
      old(undefined, {
        ...{ rope_theta: 50000, layer_types: undefined, sliding_window_pattern: 4, layer_switch: 4 },
        ...{ order_of_interleaved_layers: 'local_attn_first', position_embedding_type: 'rope_gptj', rotary_pct: 1 },
        ...{ use_embedding_sharing: true, use_gated_activation: true, use_parallel_block: true },
        use_parallel_embedding: false,
      }),
    ],
    ['glm4', old(undefined, { partial_rotary_factor: 0.5 })],
    ['glm4', old(undefined, { partial_rotary_factor: undefined })],
    ['exaone4', old(undefined, { rope_theta: 1e6, sliding_window_pattern: 'LLLG' })],
    ['exaone4', old(undefined, { rope_theta: 1e6, sliding_window_pattern: 4, layer_types: undefined })],
    ['exaone4-full', { sliding_window_pattern: null, layer_types: undefined }],
    ['seed-oss', old(undefined, { rope_theta: 1e7 })],
    ['phi', old(undefined, { partial_rotary_factor: 0.5 })],
    ['gptneox', pythia(0.25)],
    ['gptneox', pythia(undefined, { partial_rotary_factor: 0.25, rope_theta: 10000 })],
    ['gptneox-serial', pythia(1, { torch_dtype: 'bfloat16', hidden_act: 'gelu_new' })],
    ['nemotron', old(undefined, { partial_rotary_factor: 0.5, head_dim: 32, kv_channels: 32 })],
    ['ernie4_5', old(undefined, { rope_theta: undefined })],
    [
      'ernie4_5-moe',
      old(undefined, {
        rope_theta: 500000,
        moe_layer_end_index: -1,
        num_nextn_predict_layers: 1,
        moe_gate: 'topk',
        moe_capacity: [4, 4, 4],
        moe_use_aux_free: true,
        use_rmsnorm: true,
        is_quantized: false,
      }),
    ],
    ['glm4moe', old(undefined, { rope_theta: 1e6, partial_rotary_factor: 0.5 })],
    ['hunyuan', hunyuan()],
    [
      'hunyuan-moe',
      hunyuan({
        ...{ moe_intermediate_size: [32, 32], num_shared_expert: [1, 1], use_mixed_mlp_moe: true },
        ...{ moe_topk: 2, moe_layer_num_skipped: 0, norm_topk_prob: true },
      }),
    ],
    [
      'dots1',
      old(undefined, {
        scoring_func: 'noaux_tc',
        moe_layer_freq: 1,
        rope_theta: 1e7,
        sliding_window: 4096,
        max_window_layers: 2,
        layer_types: undefined,
      }),
    ],
    [
      'minimax-m2',
      old(undefined, {
        ...{
          rope_theta: 5e6,
          rotary_dim: 16,
          attn_type_list: [1, 1],
          layernorm_mlp_beta: 1,
          mlp_intermediate_size: 8192,
        },
        ...{ num_mtp_modules: 3, qk_norm_type: 'per_layer', scoring_func: 'sigmoid', shared_intermediate_size: 0 },
        ...{ shared_moe_mode: 'sigmoid', use_mtp: true, use_qk_norm: true, use_routing_bias: true },
      }),
    ],
  ])('%s', (name, changes) => {
    expect(comparable(withConfig(name, changes))).toEqual(comparable(readTransformersModel(name).folder));
  });
});

describe('refused by name', () => {
  test.each<[string, Config, string]>([
    ['cohere', { use_qk_norm: true }, 'LayerNorm of query and key heads'],
    ['cohere', { attention_bias: true }, 'biases of attention'],
    ['cohere', { use_embedding_sharing: false }, 'an output other than the embedding'],
    ['cohere2', { rotary_pct: 0.5 }, 'rope of a part of each head'],
    ['cohere2', { sliding_window: null }, 'layers with a window of no size'],
    ['cohere2', { order_of_interleaved_layers: 'global_attn_first' }, 'another order of layers'],
    ['exaone4', { sliding_window: null }, 'layers with a window of no size'],
    ['exaone4', { layer_types: Array(4).fill('linear_attention') }, '"linear_attention"'],
    ['seed-oss', { attention_out_bias: true }, 'a bias of what attention gives'],
    ['seed-oss', { mlp_bias: true }, 'biases of the feed-forward'],
    ['phi', { qk_layernorm: true }, 'LayerNorm of query and key heads'],
    ['phi', { hidden_act: 'quick_gelu' }, 'an activation other than gelu_pytorch_tanh'],
    ['phi', { hidden_activation: 'gelu_new', hidden_act: 'relu' }, 'an activation other than gelu_pytorch_tanh'],
    ['phi', { hidden_activation: 'gelu_new' }, 'key "hidden_activation" ("gelu_new") may change'],
    ['gemma2', { hidden_activation: 'gelu' }, 'an activation other than gelu_pytorch_tanh'],
    ['gptneox', { rope_theta: 500000 }, 'two bases of rope'],
    ['gptneox', { partial_rotary_factor: 1 }, 'rope of two parts of each head'],
    ['gptneox', { attention_bias: false }, 'attention without biases'],
    ['gptneox', { num_attention_heads: 16 }, 'heads of 4'],
    ['nemotron', { kv_channels: 64 }, 'two sizes of heads'],
    ['nemotron', { hidden_act: 'silu' }, 'an activation other than relu2'],
    ['arcee', { attention_bias: true }, 'biases of attention'],
    ['arcee', { mlp_bias: true }, 'biases of the feed-forward'],
    ['ernie4_5', { use_bias: true }, 'biases'],
    ['ernie4_5-moe', { moe_layer_end_index: 0 }, 'dense layers after those with experts'],
    ['ernie4_5-moe', { moe_norm_min: 0.5 }, 'another least sum of weights'],
    ['glm4moe', { scoring_func: 'softmax' }, 'weights of experts by other than sigmoids'],
    ['glm4moe', { n_group: 2 }, 'experts in groups'],
    ['hunyuan', { rope_parameters: { rope_type: 'dynamic', factor: 2 } }, 'rope scaling of this type'],
    ['hunyuan', { rope_parameters: { rope_type: 'linear', factor: 2, alpha: 9 } }, 'rope_parameters.alpha'],
    ['hunyuan', { use_cla: true }, 'keys and values that layers share'],
    ['hunyuan', { attention_head_dim: 64 }, 'two sizes of heads'],
    ['hunyuan-moe', { moe_topk: [1, 2] }, 'layers with other experts than others'],
    ['hunyuan-moe', { moe_intermediate_size: [64, 64] }, 'experts of another width'],
    ['hunyuan-moe', { num_shared_expert: [2, 2] }, 'another number of shared experts'],
    ['dots1', { tie_word_embeddings: true }, 'an output that is the embedding'],
    ['dots1', { layer_types: LOCAL_AND_FULL }, 'layers with a window of no size'],
    ['dots1', { layer_types: LOCAL_AND_FULL, sliding_window: 4, use_sliding_window: false }, 'not to be used'],
    ['minimax-m2', { scoring_func: 'softmax' }, 'weights of experts by other than sigmoids'],
    ['minimax-m2', { rotary_dim: 32, partial_rotary_factor: 0.5 }, 'rope of two parts of each head'],
    ['minimax-m2', { attn_type_list: [0, 1] }, 'linear attention'],
    ['llama', { rope_parameters: { rope_type: 'dynamic', alpha: 9, factor: 1 } }, 'rope scaling of this type'],
  ])('%s %j', (name, changes, message) => {
    const folder = withConfig(name, changes);
    expect(() => readModel(folder)).toThrow(UnsupportedError);
    expect(() => readModel(folder)).toThrow(message);
  });
});

describe('what contradicts itself or is missing names the key', () => {
  test.each<[string, Config, string]>([
    ['cohere', { rope_parameters: undefined }, 'key "rope_theta": expected a value, found none'],
    ['cohere', { rope_parameters: { rope_type: 'default' } }, 'key "rope_parameters.rope_theta": expected a value'],
    ['cohere', { logit_scale: 0 }, 'key "logit_scale": expected a number above 0, found 0'],
    [
      'cohere2',
      { layer_types: undefined, sliding_window_pattern: 0 },
      'key "sliding_window_pattern": expected a number',
    ],
    ['exaone4', { sliding_window: 0 }, 'key "sliding_window": expected a number above 0, found 0'],
    ['glm4moe', { first_k_dense_replace: 2 }, 'expected fewer than the 2 layers, found 2'],
    ['dots1', { n_routed_experts: undefined }, 'key "n_routed_experts": expected a value, found none'],
    ['hunyuan-moe', { moe_topk: [2] }, 'key "moe_topk": expected one of each of 2 layers, found 1'],
  ])('%s %j', (name, changes, message) => {
    const folder = withConfig(name, changes);
    expect(() => modelSpec(readModel(folder))).toThrow(ModelFileError);
    expect(() => modelSpec(readModel(folder))).toThrow(message);
  });
});

test('only layers with a window have rope in models that have one', () => {
  const hasRope = (name: string, changes: Config = {}) =>
    modelSpec(readModel(withConfig(name, changes))).layers.map(({ rope }) => rope !== undefined);
  for (const name of ['cohere2', 'exaone4']) expect(hasRope(name), name).toEqual([true, true, true, false]);
  const full = Array(4).fill('full_attention');
  expect(hasRope('exaone4', { layer_types: full })).toEqual([false, false, false, false]);
  expect(hasRope('exaone4', { layer_types: full, sliding_window: null })).toEqual([true, true, true, true]);
});

test('gelu is exact but for Gemma, whose authors computed the other one', () => {
  const activation = (name: string, hidden_act?: string) =>
    modelSpec(readModel(withConfig(name, { hidden_act, hidden_activation: undefined }))).activation;
  for (const name of ['phi', 'gptneox', 'starcoder2']) {
    expect(activation(name, 'gelu'), name).toBe('gelu_erf');
    expect(activation(name, 'gelu_new'), name).toBe('gelu');
  }
  expect([activation('phi'), activation('gptneox'), activation('starcoder2')]).toEqual(['gelu', 'gelu_erf', 'gelu']);
  expect(activation('gemma', 'gelu')).toBe('gelu');
});

test('tensors of layers that guess ahead, and masks, are left out', () => {
  const layers = (folder: string) => modelSpec(readModel(folder)).layers.length;
  expect(
    layers(withTensors('glm4moe', ['model.layers.2.eh_proj.weight', 'model.layers.2.input_layernorm.weight'])),
  ).toBe(2);
  expect(layers(withTensors('ernie4_5-moe', ['model.mtp_block.0.input_layernorm.weight']))).toBe(2);
  expect(layers(withTensors('gptneox', ['gpt_neox.layers.0.attention.bias']))).toBe(2);
  expect(() => layers(withTensors('glm4', ['model.layers.2.eh_proj.weight']))).toThrow('has no place for');
});
