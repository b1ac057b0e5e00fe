/** Sound files whose model is contradictory or cannot be compiled: each error names the place and the expectation. */
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { ModelFileError, UnsupportedError } from '../../runtime/common/errors.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { f32, type GgufInput, type MetadataValue, str, u32 } from '../support/gguf_writer.js';
import { replaceTensor, TINY, tensor, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

type ErrorClass = typeof ModelFileError | typeof UnsupportedError;

function expectRefused(input: GgufInput, errorClass: ErrorClass, ...parts: string[]): void {
  const path = writeModel(input);
  const file = readGguf(path);
  expect(() => modelSpec(file)).toThrow(errorClass);
  expect(() => modelSpec(file)).toThrow(`${path}: `);
  for (const part of parts) expect(() => modelSpec(file)).toThrow(part);
}

const keys = (changes: Record<string, MetadataValue | undefined>) => withKeys(tinyModel(), changes);
const i32 = (value: number): MetadataValue => ({ type: 'int32', value });
const u64 = (value: bigint): MetadataValue => ({ type: 'uint64', value });
const ints = (...value: number[]): MetadataValue => ({ type: 'array', of: 'uint32', value });

describe('architecture', () => {
  test.each(['mamba', 'rwkv7', 'gemma3n', 'deepseek2', 'llama4', 'LLAMA', '', '__proto__', 'constructor'])(
    '%j',
    (name) => {
      const input = keys({ 'general.architecture': str(name) });
      expectRefused(
        input,
        UnsupportedError,
        `architecture ${JSON.stringify(name)} is not supported`,
        'supported are llama, qwen2, qwen3, gemma',
      );
    },
  );
  test('with code in its name', () => {
    const input = keys({ 'general.architecture': str('x"); system("id");//') });
    expectRefused(input, UnsupportedError, 'architecture "x\\"); system(\\"id\\");//" is not supported');
  });
  test('absent', () => {
    expectRefused(
      keys({ 'general.architecture': undefined }),
      ModelFileError,
      'metadata key "general.architecture"',
      'no such key',
    );
  });
  test('no string', () => {
    expectRefused(keys({ 'general.architecture': u32(1) }), ModelFileError, 'expected a string, found uint32 1');
  });
  test('of a header alone', () => {
    expectRefused({ metadata: [], tensors: [] }, ModelFileError, 'metadata key "general.architecture"');
    expectRefused({ ...tinyModel(), tensors: [] }, ModelFileError, 'metadata key "llama.block_count"', '0 tensors');
  });
});

describe('hyperparameters', () => {
  test.each([
    'context_length',
    'embedding_length',
    'block_count',
    'feed_forward_length',
    'attention.head_count',
    'attention.layer_norm_rms_epsilon',
  ])('%s absent', (name) => {
    expectRefused(
      keys({ [`llama.${name}`]: undefined }),
      ModelFileError,
      `metadata key "llama.${name}"`,
      'found no such key',
    );
  });

  test.each<[string, MetadataValue, string]>([
    ['context_length', u32(0), 'expected 1 to 2147483647, found 0'],
    ['context_length', u32(2 ** 31), 'expected 1 to 2147483647, found 2147483648'],
    ['context_length', u64(2n ** 63n), 'expected an unsigned integer, found uint64 9223372036854775808'],
    ['context_length', f32(512), 'expected an unsigned integer, found float32 512'],
    ['context_length', str('512'), 'expected an unsigned integer, found string "512"'],
    ['context_length', ints(512), 'expected an unsigned integer, found array of 1 uint32'],
    ['embedding_length', u32(0), 'found 0'],
    ['embedding_length', i32(-64), 'expected an unsigned integer, found int32 -64'],
    ['block_count', u32(0), 'found 0'],
    ['block_count', u32(1e9), "expected no more layers than the file's 20 tensors, found 1000000000"],
    ['block_count', u64(2n ** 63n), 'found uint64'],
    ['feed_forward_length', u32(0), 'found 0'],
    ['feed_forward_length', str('96'), 'expected an unsigned integer, found string "96"'],
    ['attention.head_count', u32(0), 'found 0'],
    ['attention.head_count', ints(2), 'one element for each of the 2 layers, found array of 1 uint32'],
    ['attention.head_count', ints(0, 0), 'found 0'],
    [
      'attention.head_count',
      { type: 'array', of: 'float32', value: [1.5, 1.5] },
      'unsigned integers, found array of 2 float32',
    ],
    ['attention.head_count', { type: 'array', of: 'string', value: ['2', '2'] }, 'numbers, found array of 2 string'],
    ['attention.head_count_kv', u32(0), 'found 0'],
    ['attention.head_count_kv', u32(3), 'expected a divisor of the head count 2, found 3'],
    ['attention.head_count_kv', u32(4), 'expected a divisor of the head count 2, found 4'],
    ['attention.layer_norm_rms_epsilon', f32(Number.NaN), 'expected a finite number, 0 or above, found NaN'],
    ['attention.layer_norm_rms_epsilon', f32(-1e-5), 'expected a finite number, 0 or above, found -'],
    [
      'attention.layer_norm_rms_epsilon',
      f32(Number.POSITIVE_INFINITY),
      'expected a finite number, 0 or above, found Infinity',
    ],
    ['attention.layer_norm_rms_epsilon', u32(1), 'expected a float, found uint32 1'],
    ['rope.freq_base', f32(Number.NaN), 'expected a finite number above 0, found NaN'],
    ['rope.freq_base', f32(0), 'found 0'],
    ['rope.freq_base', f32(-10000), 'found -10000'],
    ['rope.freq_base', f32(Number.POSITIVE_INFINITY), 'found Infinity'],
    ['rope.dimension_count', u32(0), 'expected an even number, 2 to the head size 32, found 0'],
    ['rope.dimension_count', u32(7), 'expected an even number, 2 to the head size 32, found 7'],
    ['rope.dimension_count', u32(34), 'expected an even number, 2 to the head size 32, found 34'],
    ['vocab_size', u32(41), 'expected 40 tokens, the rows of token_embd.weight, found 41'],
    ['vocab_size', u32(0), 'expected 40 tokens, the rows of token_embd.weight, found 0'],
    ['vocab_size', f32(40), 'expected an unsigned integer, found float32 40'],
  ])('%s: %o', (name, value, message) => {
    expectRefused(keys({ [`llama.${name}`]: value }), ModelFileError, `metadata key "llama.${name}": `, message);
  });

  test('a tokenizer of another size', () => {
    const tokens: MetadataValue = { type: 'array', of: 'string', value: ['a', 'b'] };
    expectRefused(
      keys({ 'tokenizer.ggml.tokens': tokens }),
      ModelFileError,
      'metadata key "tokenizer.ggml.tokens"',
      'expected 40 tokens',
      'found 2',
    );
    expectRefused(keys({ 'tokenizer.ggml.tokens': str('a') }), ModelFileError, 'expected an array, found string "a"');
  });

  test('heads that do not divide the width', () => {
    const input = keys({
      'llama.attention.key_length': undefined,
      'llama.attention.head_count': u32(3),
      'llama.attention.head_count_kv': u32(1),
    });
    expectRefused(
      input,
      ModelFileError,
      'metadata key "llama.attention.head_count"',
      'a divisor of the embedding length 64, found 3',
    );
  });

  test.each([0, 2, 30, 33, 127, 258, 512])('head size %d', (size) => {
    const input = keys({ 'llama.attention.key_length': u32(size), 'llama.attention.value_length': u32(size) });
    expectRefused(input, UnsupportedError, `head size ${size} is not supported`, 'even, 32 to 256');
  });

  test('values of another head size than keys', () => {
    expectRefused(
      keys({ 'llama.attention.value_length': u32(64) }),
      UnsupportedError,
      'a head of 32 for keys and 64 for values',
    );
  });

  test.each(['attention.head_count', 'attention.head_count_kv', 'feed_forward_length'])(
    '%s that differs by layer',
    (name) => {
      expectRefused(
        keys({ [`llama.${name}`]: ints(2, 1) }),
        UnsupportedError,
        `a different llama.${name} for each layer`,
        'it is 2 in layer 0 and 1 in layer 1',
      );
    },
  );

  test('a KV cache of more than 2^53 bytes', () => {
    const layers = 20000;
    const empty = { ...tinyModel(), tensors: Array.from({ length: layers }, (_, i) => tensor(`t${i}`, 'F32', 1)) };
    const input = withKeys(empty, {
      'llama.block_count': u32(layers),
      'llama.context_length': u32(2 ** 31 - 1),
      'llama.attention.head_count': u32(1024),
      'llama.attention.head_count_kv': u32(1024),
    });
    expectRefused(input, ModelFileError, 'metadata key "llama.context_length"', 'KV cache');
  });
});

describe('features that would change the result', () => {
  const bool = (value: number): MetadataValue => ({ type: 'bool', value });
  test.each<[string, MetadataValue, string]>([
    ['expert_shared_count', u32(1), 'a number of shared experts'],
    ['expert_group_count', u32(4), 'groups of experts'],
    ['expert_weights_scale', f32(2.5), 'a scale of what experts give'],
    ['expert_gating_func', u32(2), 'another way to weight experts'],
    ['leading_dense_block_count', u32(1), 'dense layers beside those with experts'],
    ['expert_shared_feed_forward_length', u32(64), 'a shared expert'],
    ['rope.scaling.type', str('dynamic'), 'rope scaling'],
    ['rope.scaling.alpha', f32(4), 'dynamic rope scaling'],
    ['rope.scaling.yarn_log_multiplier', f32(0.1), 'log multiplier'],
    ['some_new_note', str('of who knows what'), 'a hyperparameter that this compiler does not know'],
    ['attention.sliding_window_pattern', u32(4), 'a hyperparameter that this compiler does not know'],
    ['rope.dimension_sections', { type: 'array', of: 'int32', value: [16, 24, 24, 0] }, 'multi-axis rope'],
    ['attention.causal', bool(0), 'not causal'],
    ['attention.scale', f32(0.5), 'attention scale'],
    ['attention.clamp_kqv', f32(8), 'clamping'],
    ['attention.max_alibi_bias', f32(8), 'ALiBi'],
    ['attention.kv_lora_rank', u32(512), 'multi-head latent attention'],
    ['attention.temperature_scale', f32(0.1), 'attention temperature'],
    ['attn_logit_softcapping', f32(40), 'soft capping of attention'],
    ['final_logit_softcapping', f32(20), 'soft capping of logits'],
    ['logit_scale', f32(0.0625), 'logit scale'],
    ['embedding_scale', f32(12), 'embedding scale'],
    ['residual_scale', f32(0.22), 'residual scale'],
    ['use_parallel_residual', bool(1), 'parallel residual'],
    ['hidden_activation', str('gelu'), 'activation'],
    ['nextn_predict_layers', u32(1), 'multi-token prediction'],
    ['rope.freq_base_swa', f32(50000), 'other heads or rope in layers with a window'],
    ['attention.key_length_swa', u32(64), 'other heads or rope in layers with a window'],
    ['rope.scaling.yarn_ext_factor', f32(0.5), 'YaRN in part'],
    ['rope.scaling.yarn_beta_fast', f32(16), 'YaRN with ends of its own'],
    ['rope.scaling.yarn_beta_slow', f32(2), 'YaRN with ends of its own'],
    ['rope.scaling.yarn_attn_factor', f32(1.5), 'YaRN with an attention factor'],
    ['attention.rope_pattern', u32(0), 'layers without rope'],
    ['attention.recurrent_layers', { type: 'array', of: 'uint32', value: [0, 1] }, 'recurrent layers'],
    ['swiglu_clamp_shexp', { type: 'array', of: 'float32', value: [1, 1] }, 'clamped SwiGLU'],
  ])('llama.%s: %o', (name, value, feature) => {
    expectRefused(keys({ [`llama.${name}`]: value }), UnsupportedError, feature, 'is not supported', `llama.${name}`);
  });

  test.each<[string, MetadataValue, string]>([
    ['general.type', str('adapter'), 'not a whole model'],
    ['general.quantization_version', u32(1), 'quantization format'],
  ])('%s: %o', (key, value, feature) => {
    expectRefused(keys({ [key]: value }), UnsupportedError, feature, key);
  });

  test('a window of an architecture whose layers with it are not known', () => {
    const input = withKeys(tinyModel('qwen3'), { 'qwen3.attention.sliding_window': u32(256) });
    expectRefused(
      input,
      UnsupportedError,
      'sliding-window attention of qwen3',
      'qwen3.attention.sliding_window is 256',
    );
  });

  test('experts of an architecture without', () => {
    const input = withKeys(tinyModel('qwen3'), { 'qwen3.expert_count': u32(8) });
    expectRefused(input, UnsupportedError, 'mixture of experts is not supported', 'qwen3.expert_count');
  });

  test('weights of experts that are not divided by their sum, of an architecture that divides', () => {
    const of = (architecture: string) =>
      withKeys(tinyModel(), {
        'general.architecture': str(architecture),
        [`${architecture}.expert_weights_norm`]: bool(1),
      });
    expectRefused(of('olmoe'), UnsupportedError, 'another way to weight experts', 'olmoe.expert_weights_norm');
    expect(() => modelSpec(readGguf(writeModel(of('llama'))))).not.toThrow();
  });

  test.each<[string, Record<string, MetadataValue>, string]>([
    ['no number of those used', { 'llama.expert_count': u32(8) }, 'llama.expert_used_count'],
    [
      'more used than there are',
      { 'llama.expert_count': u32(8), 'llama.expert_used_count': u32(9) },
      'expected 1 to the expert count 8, found 9',
    ],
    [
      'no tensors of theirs',
      { 'llama.expert_count': u32(8), 'llama.expert_used_count': u32(2) },
      'blk.0.ffn_gate_inp.weight',
    ],
  ])('experts: %s', (_, changes, part) => {
    expectRefused(keys(changes), ModelFileError, part);
  });

  test.each(['output.scale', 'token_embd.scale', 'blk.0.attn_norm.scale'])('%s', (name) => {
    const model = keys({});
    const input = { ...model, tensors: [...model.tensors, tensor(name, 'F32', 1)] };
    expectRefused(input, ModelFileError, `has no place for "${name}"`);
  });

  test('a number for each row of a matrix', () => {
    const model = keys({});
    const input = { ...model, tensors: [...model.tensors, tensor('blk.0.attn_q.scale', 'F32', 64)] };
    expectRefused(input, ModelFileError, 'expected blk.0.attn_q.scale of shape [1], found [64]');
  });

  test('a tensor for each expert, of which one is missing or of another type', () => {
    const { embedding, feedForward } = TINY;
    const of = (expert: number, type: 'F32' | 'Q8_0' = 'Q8_0') =>
      tensor(`blk.0.ffn_gate.${expert}.weight`, type, embedding, feedForward);
    const model = keys({ 'llama.expert_count': u32(2), 'llama.expert_used_count': u32(1) });
    const withPieces = (...pieces: GgufInput['tensors']) => ({ ...model, tensors: [...model.tensors, ...pieces] });
    expectRefused(withPieces(of(0)), ModelFileError, 'blk.0.ffn_gate.1.weight', 'which the file does not have');
    expect(() => modelSpec(readGguf(writeModel(withPieces(of(0), of(1, 'F32')))))).toThrow(ModelFileError);
  });

  test('more experts than kernels choose from', () => {
    const input = keys({ 'llama.expert_count': u32(512), 'llama.expert_used_count': u32(10) });
    expectRefused(input, UnsupportedError, '10 of 512 experts is not supported', 'at most 32 of at most 256');
  });

  test('no experts in an architecture that has them', () => {
    const model = tinyModel();
    const metadata = model.metadata.map(
      ([key, value]) =>
        [`${key}`.replace(/^llama/, 'qwen3moe'), key === 'general.architecture' ? str('qwen3moe') : value] as const,
    );
    expectRefused({ ...model, metadata }, ModelFileError, 'qwen3moe.expert_count', 'expected the number of experts');
  });

  test('longrope without factors', () => {
    const input = keys({ 'llama.rope.scaling.type': str('longrope') });
    expectRefused(input, UnsupportedError, 'longrope rope scaling without factors is not supported');
  });

  test.each<[string, MetadataValue]>([
    ['rope.scale_linear', f32(Number.NaN)],
    ['rope.scaling.factor', f32(-1)],
    ['rope.scaling.attn_factor', f32(0)],
  ])('llama.%s: %o', (name, value) => {
    expectRefused(
      keys({ [`llama.${name}`]: value }),
      ModelFileError,
      `llama.${name}`,
      'expected a finite number above 0',
    );
  });

  test("another architecture's keys say nothing", () => {
    const file = readGguf(writeModel(keys({ 'gemma2.final_logit_softcapping': f32(30) })));
    expect(modelSpec(file).architecture).toBe('llama');
  });
});

describe('tensors', () => {
  const { embedding, vocab, headSize } = TINY;
  const more = (input: GgufInput, ...tensors: GgufInput['tensors']): GgufInput => ({
    ...input,
    tensors: [...input.tensors, ...tensors],
  });

  test('missing', () => {
    expectRefused(
      replaceTensor(tinyModel(), 'token_embd.weight'),
      ModelFileError,
      'tensor "token_embd.weight"',
      'none of that name',
    );
    expectRefused(
      replaceTensor(tinyModel(), 'blk.1.ffn_up.weight'),
      ModelFileError,
      'a llama model of 2 layers needs blk.1.ffn_up.weight',
    );
    expectRefused(replaceTensor(tinyModel('qwen2'), 'blk.0.attn_k.bias'), ModelFileError, 'needs blk.0.attn_k.bias');
    expectRefused(
      replaceTensor(tinyModel('qwen3'), 'blk.0.attn_q_norm.weight'),
      ModelFileError,
      'needs blk.0.attn_q_norm.weight',
    );
  });
  test('of a layer that is not there: a few are named', () => {
    const names = ['attn_norm', 'attn_q', 'attn_k', 'attn_v', 'attn_output'].map((name) => `blk.2.${name}.weight`);
    expectRefused(keys({ 'llama.block_count': u32(3) }), ModelFileError, `needs ${names.join(', ')} and 4 more`);
  });
  test('extra', () => {
    expectRefused(
      more(tinyModel(), tensor('rope_factors_wide.weight', 'F32', 16)),
      ModelFileError,
      'has no place for "rope_factors_wide.weight"',
    );
    expectRefused(
      keys({ 'llama.block_count': u32(1) }),
      ModelFileError,
      'a llama model of 1 layers has no place for "blk.1.attn_norm.weight"',
      'and 4 more',
    );
    expectRefused(
      more(tinyModel(), tensor('x"); system("id");//', 'F32', 16)),
      ModelFileError,
      'no place for "x\\"); system(\\"id\\");//"',
    );
    expectRefused(
      more(tinyModel('qwen2'), tensor('rope_freqs.weight', 'F32', 16)),
      ModelFileError,
      'no place for "rope_freqs.weight"',
    );
    expectRefused(
      more(tinyModel('llama'), tensor('blk.0.attn_q_norm.weight', 'F32', 32)),
      ModelFileError,
      'no place for "blk.0.attn_q_norm.weight"',
    );
  });
  test.each<[string, number[], string]>([
    ['token_embd.weight', [32, vocab], '[64, 40], found [32, 40]'],
    ['token_embd.weight', [embedding, vocab, 2], '[64, 40], found [64, 40, 2]'],
    ['output_norm.weight', [embedding, 2], '[64], found [64, 2]'],
    ['blk.0.attn_q.weight', [embedding, 32], '[64, 64], found [64, 32]'],
    ['blk.1.attn_k.weight', [embedding, 64], '[64, 32], found [64, 64]'],
    ['blk.1.ffn_down.weight', [embedding, 96], '[96, 64], found [64, 96]'],
  ])('%s of shape %o', (name, dims, message) => {
    const type = name.includes('norm') ? 'F32' : 'Q8_0';
    const input = replaceTensor(tinyModel(), name, tensor(name, type, ...dims));
    const shape = withKeys(input, { 'tokenizer.ggml.tokens': undefined, 'llama.vocab_size': undefined });
    expectRefused(shape, ModelFileError, `expected ${name} of shape ${message}`);
  });
  test('wrongly shaped optional ones', () => {
    expectRefused(
      more(tinyModel(), tensor('output.weight', 'Q8_0', embedding, 41)),
      ModelFileError,
      'output.weight of shape [64, 40], found [64, 41]',
    );
    expectRefused(
      more(tinyModel(), tensor('rope_freqs.weight', 'F32', headSize)),
      ModelFileError,
      'rope_freqs.weight of shape [16], found [32]',
    );
    expectRefused(
      more(tinyModel(), tensor('blk.0.attn_q.bias', 'F32', headSize)),
      ModelFileError,
      'blk.0.attn_q.bias of shape [64], found [32]',
    );
  });
  test('wrong in every layer: a few are named', () => {
    const input = keys({ 'llama.feed_forward_length': u32(128) });
    expectRefused(input, ModelFileError, 'blk.0.ffn_gate.weight of shape [64, 128], found [64, 96]', 'and 1 more');
  });
  test('of a type without kernels', () => {
    const name = 'blk.0.ffn_up.weight';
    const q8 = { name, type: 9, dims: [64, 96], data: Buffer.alloc((64 * 96 * 36) / 32) };
    expectRefused(
      replaceTensor(tinyModel(), name, q8),
      UnsupportedError,
      `${name} of type Q8_1 is not supported`,
      'Q8_0',
      'BF16',
    );
  });
  test('vectors that are quantised', () => {
    const input = replaceTensor(tinyModel(), 'blk.0.attn_norm.weight', tensor('blk.0.attn_norm.weight', 'Q8_0', 64));
    expectRefused(input, UnsupportedError, 'blk.0.attn_norm.weight of type Q8_0 is not supported', 'F32, F16, BF16');
    expectRefused(
      more(tinyModel(), tensor('rope_freqs.weight', 'F16', 16)),
      UnsupportedError,
      'rope_freqs.weight of type F16 (only F32)',
    );
  });
});
