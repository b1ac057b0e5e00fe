/** Sound models: what the spec says of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import type { Weight } from '../../compiler/model/spec.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { f32, type GgufInput, type MetadataValue, str, u32 } from '../support/gguf_writer.js';
import { replaceTensor, TINY, tensor, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

const golden = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

function load(input: GgufInput) {
  return modelSpec(readGguf(writeModel(input)));
}

function withTensors(input: GgufInput, ...more: GgufInput['tensors']): GgufInput {
  return { ...input, tensors: [...input.tensors, ...more] };
}

test('a model is named by its file and knows its header', () => {
  const file = readGguf(writeModel(tinyModel(), 'My *Model*.v2.GGUF'));
  const { name, file: identity } = modelSpec(file);
  expect(name).toBe('My *Model*.v2');
  const { path, bytes, parts, headerBytes, headerSha256 } = file;
  expect(identity).toEqual({ path, bytes, parts, headerBytes, headerSha256 });
});

test('llama: hyperparameters, weights by role, tied output', () => {
  const input = tinyModel('llama');
  const spec = load(input);
  expect(spec).toMatchObject({
    architecture: 'llama',
    vocabSize: 40,
    contextLength: 512,
    embeddingLength: 64,
    feedForwardLength: 96,
    headCount: 2,
    headCountKv: 1,
    headSize: 32,
    norm: 'rms',
    normEpsilon: Math.fround(1e-5),
    activation: 'silu',
    attentionScale: 1 / Math.sqrt(32),
  });
  expect(spec.layers[1]!.rope).toEqual({ dimensions: 32, base: 10000, pairing: 'adjacent' });
  expect(spec.layers[0]!.rope).toBe(spec.layers[1]!.rope);
  expect(spec.output).toBe(spec.tokenEmbedding);
  expect(spec.layers).toHaveLength(2);
  expect(Object.keys(spec.layers[0]!).sort()).toEqual([
    'attnK',
    'attnNorm',
    'attnOutput',
    'attnQ',
    'attnV',
    'ffnDown',
    'ffnGate',
    'ffnNorm',
    'ffnUp',
    'rope',
  ]);
  expect(spec.layers[1]!.attnK).toEqual({
    name: 'blk.1.attn_k.weight',
    type: 'Q8_0',
    rows: 32,
    cols: 64,
    offset: readGguf(spec.file.path).tensors.find(({ name }) => name === 'blk.1.attn_k.weight')!.offset,
    bytes: (32 * 64 * 34) / 32,
  });
});

test('llama: output of its own, rope factors and every bias', () => {
  const { embedding, feedForward, headSize, vocab } = TINY;
  const biases = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'];
  const sizes = [64, headSize, headSize, embedding, feedForward, feedForward, embedding];
  const spec = load(
    withTensors(
      tinyModel('llama'),
      tensor('output.weight', 'Q8_0', embedding, vocab),
      tensor('rope_freqs.weight', 'F32', headSize / 2),
      ...biases.map((name, i) => tensor(`blk.1.${name}.bias`, 'F16', sizes[i]!)),
    ),
  );
  expect(spec.output).toMatchObject({ name: 'output.weight', rows: vocab, cols: embedding });
  expect(spec.layers[1]!.rope!.factors).toMatchObject({
    name: 'rope_freqs.weight',
    type: 'F32',
    rows: 1,
    cols: headSize / 2,
  });
  const { attnQBias, attnKBias, attnVBias, attnOutputBias, ffnGateBias, ffnUpBias, ffnDownBias } = spec.layers[1]!;
  const bound = [attnQBias, attnKBias, attnVBias, attnOutputBias, ffnGateBias, ffnUpBias, ffnDownBias];
  expect(bound.map((bias) => bias?.name)).toEqual(biases.map((name) => `blk.1.${name}.bias`));
  expect(bound.map((bias) => bias?.cols)).toEqual(sizes);
  expect(spec.layers[0]).not.toHaveProperty('attnQBias');
});

test('qwen2: rope over halves, biases of q, k and v', () => {
  const spec = load(tinyModel('qwen2'));
  expect(spec.layers[0]!.rope!.pairing).toBe('half');
  expect(spec.layers[0]).toMatchObject({ attnQBias: { cols: 64 }, attnKBias: { cols: 32 }, attnVBias: { cols: 32 } });
});

test('qwen3: rope over halves, norms of q and k of one head', () => {
  const spec = load(tinyModel('qwen3'));
  expect(spec.layers[0]!.rope!.pairing).toBe('half');
  expect(spec.layers[1]).toMatchObject({ attnQNorm: { rows: 1, cols: 32 }, attnKNorm: { rows: 1, cols: 32 } });
});

describe("llama.cpp's defaults", () => {
  test('for keys that a file may leave out', () => {
    const spec = load(
      withKeys(tinyModel(), {
        'llama.attention.key_length': undefined,
        'llama.attention.value_length': undefined,
        'llama.rope.dimension_count': undefined,
        'llama.rope.freq_base': undefined,
        'llama.vocab_size': undefined,
        'tokenizer.ggml.tokens': undefined,
      }),
    );
    expect(spec).toMatchObject({ headSize: 32, vocabSize: 40 });
    expect(spec.layers[1]!.rope).toMatchObject({ dimensions: 32, base: 10000 });
  });

  test('as many KV heads as heads', () => {
    let input = withKeys(tinyModel(), { 'llama.attention.head_count_kv': undefined });
    for (const name of ['blk.0.attn_k', 'blk.0.attn_v', 'blk.1.attn_k', 'blk.1.attn_v']) {
      input = replaceTensor(input, `${name}.weight`, tensor(`${name}.weight`, 'Q8_0', TINY.embedding, 64));
    }
    expect(load(input).headCountKv).toBe(2);
  });

  test('a head may be rotated in part', () => {
    expect(load(withKeys(tinyModel(), { 'llama.rope.dimension_count': u32(8) })).layers[0]!.rope!.dimensions).toBe(8);
  });

  test('an array for every layer is a number where all are alike', () => {
    const two = (value: number): MetadataValue => ({ type: 'array', of: 'uint32', value: [value, value] });
    const spec = load(
      withKeys(tinyModel(), {
        'llama.attention.head_count': two(2),
        'llama.attention.head_count_kv': two(1),
        'llama.feed_forward_length': two(96),
      }),
    );
    expect(spec).toMatchObject({ headCount: 2, headCountKv: 1, feedForwardLength: 96 });
  });

  test('a rope scaling factor has no effect with the type none', () => {
    const factor = { 'llama.rope.scaling.type': str('none'), 'llama.rope.scaling.factor': f32(4) };
    expect(load(withKeys(tinyModel(), factor)).layers[0]!.rope).not.toHaveProperty('scaling');
  });

  test.each<[string, MetadataValue]>([
    ['llama.expert_count', u32(0)],
    ['llama.rope.scaling.type', str('none')],
    ['llama.rope.scale_linear', f32(1)],
    ['llama.rope.scaling.factor', f32(1)],
    ['llama.attention.sliding_window', u32(512)],
    ['llama.attention.sliding_window', u32(0)],
    ['llama.attention.scale', f32(1 / Math.sqrt(32))],
    ['llama.attention.causal', { type: 'bool', value: 1 }],
    ['llama.logit_scale', f32(1)],
    ['llama.rope.dimension_sections', { type: 'array', of: 'int32', value: [0, 0, 0, 0] }],
    ['general.type', str('model')],
    ['general.quantization_version', u32(2)],
  ])('%s may say that there is nothing special', (key, value) => {
    expect(load(withKeys(tinyModel(), { [key]: value })).architecture).toBe('llama');
  });
});

test.each(readdirSync(golden).filter((name) => name.endsWith('.gguf')))('%s: each tensor has its role', (name) => {
  const file = readGguf(`${golden}/${name}`);
  const { layers, tokenEmbedding, outputNorm, output } = modelSpec(file);
  const weights = [
    tokenEmbedding,
    outputNorm,
    output,
    layers[0]!.rope?.factors,
    ...layers.flatMap(({ rope: _, window: __, ...roles }) => Object.values(roles) as Weight[]),
  ];
  const bound = new Map(weights.flatMap((weight) => (weight ? [[weight.name, weight]] : [])));
  // Parts of a tensor that lie one after the other are the tensor.
  for (const stem of ['attn_qkv.weight', 'ffn_up.weight'])
    for (const i of layers.keys()) {
      const parts = ['q', 'k', 'v', 'gate', 'up'].flatMap((part) => bound.get(`blk.${i}.${stem}.${part}`) ?? []);
      for (const [at, part] of parts.entries()) {
        bound.delete(part.name);
        if (at > 0) expect(part.offset).toBe(parts[at - 1]!.offset + parts[at - 1]!.bytes);
      }
      const [first] = parts;
      const total = (size: 'rows' | 'bytes') => parts.reduce((sum, part) => sum + part[size], 0);
      const name = `blk.${i}.${stem}`;
      if (first) bound.set(name, { ...first, name, rows: total('rows'), bytes: total('bytes') });
    }
  expect([...bound.keys()].sort()).toEqual(file.tensors.map((tensor) => tensor.name).sort());
  for (const { name, type, dims, offset, bytes } of file.tensors) {
    const [cols, rows = 1, experts = 1] = dims;
    expect(bound.get(name)).toEqual({ name, type, rows: rows * experts, cols, offset, bytes });
  }
});

const saved = fileURLToPath(new URL('../fixtures/llama_cpp/saved_keys.json', import.meta.url));
const architectures = ['llama', 'qwen2', 'qwen3'] as const;

test.each(architectures)('keys that llama.cpp writes into every file that it saves change nothing: %s', (name) => {
  const written: Record<string, { type: string; value: string | number | boolean }> = JSON.parse(
    readFileSync(saved, 'utf8'),
  );
  const keys = Object.entries(written).map(([key, { type, value }]) => {
    const number = type.includes('float') ? Number(value) : value;
    return [`${name}.${key}`, { type, value: number } as MetadataValue] as const;
  });
  const comparable = (input: GgufInput) => {
    const { file: _, tokenEmbedding: __, outputNorm: ___, output: ____, layers, ...rest } = load(input);
    return { ...rest, rope: layers.map(({ rope }) => rope), windows: layers.map(({ window }) => window) };
  };
  const model = tinyModel(name);
  expect(comparable(withKeys(model, Object.fromEntries(keys)))).toEqual(comparable(model));
});

test('numbers that matrices are multiplied with, where llama.cpp multiplies', () => {
  const scale = (name: string) => tensor(`blk.0.${name}`, 'F32', 1);
  const scales = ['attn_q.scale', 'ffn_up.scale', 'ffn_up.input_scale'].map(scale);
  const layerOf = (architecture: 'llama' | 'qwen2') => {
    const model = tinyModel(architecture);
    return load({ ...model, tensors: [...model.tensors, ...scales] }).layers[0]!;
  };
  const { attnQ, attnK, ffnUp } = layerOf('llama');
  expect(attnQ.scale).toMatchObject({ name: 'blk.0.attn_q.scale', rows: 1, cols: 1 });
  expect(attnQ).not.toHaveProperty('scalesBias');
  expect(attnK).not.toHaveProperty('scale');
  expect(ffnUp).toMatchObject({ scale: { name: 'blk.0.ffn_up.scale' }, scalesBias: true });
  const qwen2 = layerOf('qwen2');
  expect(qwen2.attnQ.scale).toEqual(expect.objectContaining({ name: 'blk.0.attn_q.scale' }));
  expect(qwen2.ffnUp).not.toHaveProperty('scale');
});
