/** gpt-oss, whose experts transformers stores transposed, its publisher as MXFP4, both with alternating rows of gate and up. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readModel } from '../../runtime/files/read.js';
import { referenceRun } from '../oracle/reference.js';
import { firstDifference, replayLogits } from '../support/artifacts.js';
import { hostReplay } from '../support/host_replay.js';
import { nmse } from '../support/nmse.js';
import { Random } from '../support/random.js';
import { safetensorsFile, writeFolder } from '../support/safetensors_writer.js';
import { temporaryFolder } from '../support/tiny_models.js';
import { ggufOf } from '../support/to_gguf.js';
import { type Config, configOf, readTransformersModel, withConfig } from '../support/transformers_models.js';

/** GGUF has no key for borders of YaRN between pairs. */
function rounded(name: string): string {
  const { rope_parameters, rope_scaling } = configOf(name);
  const change = (rope: unknown) => rope && { ...(rope as Config), truncate: true };
  return withConfig(name, { rope_parameters: change(rope_parameters), rope_scaling: change(rope_scaling) });
}

test.each([
  ['gpt-oss', undefined],
  ['gpt-oss', 'q8_0'],
  ['gpt-oss', 'q4_0'],
  ['gpt-oss-mxfp4', undefined],
  ['gpt-oss-mxfp4', 'q8_0'],
] as const)('%s, --quantize %s: the bits of the same GGUF file', async (name, quantize) => {
  const folder = rounded(name);
  const label = `gpt_oss/${name}-${quantize}`;
  const { tokens } = readTransformersModel(name);
  const found = await replayLogits(await hostReplay(label, folder, { quantize }), folder, tokens);
  const file = ggufOf(folder, name, quantize === 'q8_0' ? 'Q8_0' : quantize && 'Q4_0');
  const same = await replayLogits(await hostReplay(`${label}-gguf`, file), file, tokens);
  expect(firstDifference(found, same)).toBeUndefined();
});

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** One layer of random weights, with changes of its tensors; undefined takes one out. */
function model(
  { hidden = 64, ff = 32, experts = 2 },
  changes: Readonly<Record<string, Stored | undefined>> = {},
  keys: Config = {},
): string {
  const random = new Random(20);
  const layer = 'model.layers.0.';
  const f32 = (scale: number, ...shape: number[]): Stored => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => scale * random.normal());
    return { dtype: 'F32', shape, data: new Uint8Array(values.buffer) };
  };
  const tensors: Record<string, Stored | undefined> = {
    'model.embed_tokens.weight': f32(1, 16, hidden),
    'lm_head.weight': f32(hidden ** -0.5, 16, hidden),
    'model.norm.weight': f32(1, hidden),
    [`${layer}input_layernorm.weight`]: f32(1, hidden),
    [`${layer}post_attention_layernorm.weight`]: f32(1, hidden),
    [`${layer}mlp.router.weight`]: f32(hidden ** -0.5, experts, hidden),
    [`${layer}mlp.router.bias`]: f32(1, experts),
    [`${layer}mlp.experts.gate_up_proj`]: f32(hidden ** -0.5, experts, hidden, 2 * ff),
    [`${layer}mlp.experts.gate_up_proj_bias`]: f32(0.3, experts, 2 * ff),
    [`${layer}mlp.experts.down_proj`]: f32(ff ** -0.5, experts, ff, hidden),
    [`${layer}mlp.experts.down_proj_bias`]: f32(0.3, experts, hidden),
    [`${layer}self_attn.sinks`]: f32(1, 1),
    ...Object.fromEntries(
      ['q', 'k', 'v'].flatMap((part) => [
        [`${layer}self_attn.${part}_proj.weight`, f32(hidden ** -0.5, 32, hidden)],
        [`${layer}self_attn.${part}_proj.bias`, f32(0.3, 32)],
      ]),
    ),
    [`${layer}self_attn.o_proj.weight`]: f32(0.2, hidden, 32),
    [`${layer}self_attn.o_proj.bias`]: f32(0.3, hidden),
    ...Object.fromEntries(Object.entries(changes).map(([name, tensor]) => [`${layer}mlp.experts.${name}`, tensor])),
  };
  const kept = Object.entries(tensors).filter((entry): entry is [string, Stored] => entry[1] !== undefined);
  let end = 0;
  const header = kept.map(([name, { data, ...tensor }]) => {
    const start = end;
    end += data.length;
    return [name, { ...tensor, data_offsets: [start, end] }];
  });
  const config = {
    ...{ model_type: 'gpt_oss', hidden_size: hidden, intermediate_size: ff, num_local_experts: experts },
    ...{ num_experts_per_tok: 2, num_attention_heads: 1, num_key_value_heads: 1, head_dim: 32, vocab_size: 16 },
    ...{ num_hidden_layers: 1, max_position_embeddings: 64, rope_parameters: { rope_type: 'default' } },
    ...keys,
  };
  const data = Buffer.concat(kept.map(([, tensor]) => tensor.data));
  return writeFolder(join(mkdtempSync(join(temporaryFolder, 'gpt-oss-')), 'model'), {
    'config.json': config,
    'model.safetensors': safetensorsFile(Object.fromEntries(header), data),
  });
}

// 17 and 8 MiB a matrix, where 8 MiB are read at a time: columns 0 to 223, 224 to 447, ...
test('a matrix whose columns come in several pieces', async () => {
  const folder = model({ hidden: 512, ff: 4224 });
  const tokens = [3, 9, 1];
  const found = await replayLogits(await hostReplay('gpt_oss/large', folder), folder, tokens);
  expect(nmse(found, referenceRun(modelSpec(readModel(folder)), tokens).logits)).toBeLessThanOrEqual(1e-5);
});

describe('experts that do not fit together', () => {
  const u8 = (...shape: number[]): Stored => {
    return { dtype: 'U8', shape, data: new Uint8Array(shape.reduce((a, b) => a * b)) };
  };
  const f32 = (...shape: number[]): Stored => ({ ...u8(...shape, 4), dtype: 'F32', shape });
  const blocks = { gate_up_proj: undefined, gate_up_proj_blocks: u8(2, 64, 2, 16) };
  test.each<[string, Record<string, Stored | undefined>, string]>([
    [
      'blocks without scales',
      blocks,
      'expected scales of each block of blk.0.ffn_gate_exps.weight [64,32,2], found none',
    ],
    ['scales of other blocks', { ...blocks, gate_up_proj_scales: u8(2, 64, 3) }, 'found [96,32,2]'],
    ['scales without blocks', { gate_up_proj_scales: u8(2, 64, 2) }, 'expected blocks of blk.0.ffn_gate_exps.weight'],
    ['blocks of 8 bytes', { ...blocks, gate_up_proj_blocks: u8(2, 64, 4, 8) }, 'blocks, 16], found [2, 64, 4, 8]'],
    ['scales of two dimensions', { ...blocks, gate_up_proj_scales: u8(2, 128) }, 'rows, blocks], found [2, 128]'],
    [
      'both forms',
      { gate_up_proj_blocks: u8(2, 64, 2, 16) },
      'no place for "model.layers.0.mlp.experts.gate_up_proj_b',
    ],
    ['blocks of floats', { ...blocks, gate_up_proj_blocks: f32(2, 64, 2, 16) }, 'gate_up_proj_blocks of type F32'],
    ['bytes for floats', { down_proj: u8(2, 32, 64) }, 'down_proj of type U8'],
    [
      'a matrix of all experts',
      { down_proj: f32(64, 64) },
      'expected a shape [experts, columns, rows], found [64, 64]',
    ],
    ['a vector of all experts', { gate_up_proj_bias: f32(128) }, 'expected a shape [experts, rows], found [128]'],
    ['rows of gate without one of up', { gate_up_proj: f32(2, 64, 65) }, 'found [64, 32.5, 2]'],
    ['another width', { down_proj: f32(2, 64, 64) }, 'expected blk.0.ffn_down_exps.weight of shape [32, 64, 2]'],
  ])('%s', (_, changes, message) => {
    expect(() => modelSpec(readModel(model({}, changes)))).toThrow(message);
  });

  test('the model that these are changes of is sound', () => {
    expect(modelSpec(readModel(model({}))).experts).toMatchObject({ count: 2, used: 2 });
    const scales = { gate_up_proj_scales: u8(2, 64, 2) };
    const { ffnGateExperts } = modelSpec(readModel(model({}, { ...blocks, ...scales }))).layers[0]!;
    expect(ffnGateExperts).toMatchObject({ type: 'MXFP4', rows: 64, cols: 64, bytes: 2 * 32 * 2 * 17 });
  });
});
