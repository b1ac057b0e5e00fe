/** Layers with experts beside those without, and what the file says of both. */
import { expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { ModelFileError, UnsupportedError } from '../../runtime/common/errors.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { type ArchitectureModel, architectureModel } from '../support/architecture_models.js';
import { f32, type GgufInput, type MetadataValue, str, u32 } from '../support/gguf_writer.js';
import { tensor, tinyModel, writeModel } from '../support/tiny_models.js';

const DEEPSEEK: ArchitectureModel = {
  name: 'deepseek',
  architecture: 'deepseek',
  layers: 3,
  type: 'F32',
  used: 2,
  shared: true,
  dense: 1,
  sizes: { expertFeedForward: 32, sharedFeedForward: 96 },
};
const specOf = (model: ArchitectureModel) => modelSpec(readGguf(architectureModel(model)));
const withKeys = (keys: Readonly<Record<string, MetadataValue>>): ArchitectureModel => ({ ...DEEPSEEK, keys });

test('as many dense layers as the file says, then layers with experts and shared ones side by side', () => {
  const { experts, layers } = specOf(DEEPSEEK);
  expect(experts).toEqual({ count: 7, used: 2, weightsOver: 'all' });
  expect(layers.map(({ ffnRouter }) => ffnRouter !== undefined)).toEqual([false, true, true]);
  const [dense, first] = layers;
  expect(dense).toMatchObject({ ffnGate: { rows: 160 }, ffnDown: { cols: 160 } });
  expect(first).toMatchObject({
    ffnGateExperts: { rows: 7 * 32 },
    ffnSharedGate: { rows: 96 },
    ffnSharedDown: { cols: 96 },
  });
  expect(first!.ffnGate).toBeUndefined();
});

test('at least one layer has experts', () => {
  const model = withKeys({ leading_dense_block_count: u32(3) });
  expect(() => specOf(model)).toThrow(ModelFileError);
  expect(() => specOf(model)).toThrow(
    '"deepseek.leading_dense_block_count": expected fewer than the 3 layers, found 3',
  );
});

test('a wrong number of dense layers, or of shared experts, is seen by their tensors', () => {
  expect(() => specOf(withKeys({ leading_dense_block_count: u32(2) }))).toThrow('blk.1.ffn_gate.weight');
  expect(() => specOf(withKeys({ expert_shared_count: u32(2) }))).toThrow('expected blk.1.ffn_gate_shexp.weight');
});

test('weights by sigmoids, times a factor, where the file says so', () => {
  const { dense: _, ...dots } = { ...DEEPSEEK, architecture: 'dots1', optional: ['ffnRouterSelection'] };
  const sigmoid = { expert_gating_func: u32(2), expert_weights_norm: { type: 'bool', value: 1 } } as const;
  const spec = specOf({ ...dots, keys: { ...sigmoid, expert_weights_scale: f32(2.5) } });
  expect(spec.experts).toEqual({ count: 7, used: 2, weightsOver: 'chosen', gating: 'sigmoid', scale: 2.5 });
  expect(spec.layers[0]).toMatchObject({ ffnRouterSelection: { rows: 1, cols: 7 } });
  expect(specOf({ ...dots, keys: { expert_gating_func: u32(1) } }).experts).toEqual({
    ...{ count: 7, used: 2, weightsOver: 'all' },
  });
  expect(() => specOf(dots)).toThrow('"dots1.expert_gating_func"');
  expect(() => specOf({ ...dots, keys: { expert_gating_func: u32(3) } })).toThrow(UnsupportedError);
});

test('groups of experts, equal parts of two or more', () => {
  const { dense: _, ...ling } = {
    ...DEEPSEEK,
    architecture: 'bailingmoe2',
    used: 3,
    sizes: { experts: 12 },
    shared: false,
  };
  const keysOf = (count: number, used: number) => ({
    expert_gating_func: u32(2),
    expert_shared_count: u32(0),
    expert_group_count: u32(count),
    expert_group_used_count: u32(used),
  });
  const groupsOf = (count: number, used: number) => specOf({ ...ling, keys: keysOf(count, used) }).experts!.groups;
  expect(groupsOf(4, 2)).toEqual({ count: 4, used: 2 });
  expect(groupsOf(1, 1)).toBeUndefined();
  expect(() => groupsOf(5, 2)).toThrow('expected parts of two or more of the 12 experts, found 5');
  expect(() => groupsOf(12, 4)).toThrow('expected parts of two or more of the 12 experts, found 12');
  expect(() => groupsOf(6, 1)).toThrow('expected 2 to 6, for 3 of 12 experts, found 1');
  const { keys: __, ...dots } = { ...ling, architecture: 'dots1', keys: {} };
  expect(() => specOf({ ...dots, keys: keysOf(4, 2) })).toThrow('groups of experts');
});

test('every second layer has experts where the file says so', () => {
  const ernie = { ...DEEPSEEK, architecture: 'ernie4_5-moe', layers: 4, dense: 3, shared: false };
  const step = (n: number) => specOf({ ...ernie, keys: { interleave_moe_layer_step: u32(n) } });
  expect(step(2).layers.map(({ ffnRouter }) => ffnRouter !== undefined)).toEqual([false, false, false, true]);
  const two = { leading_dense_block_count: u32(2), interleave_moe_layer_step: u32(2) };
  expect(specOf({ ...ernie, keys: two }).layers[2]!.ffnRouter).toBeUndefined();
  expect(() => step(3)).toThrow('expected a step to one of the 4 layers after the first 3, found 3');
});

test('layers that guess further ahead are left out, whatever tensors they have', () => {
  const glm: ArchitectureModel = { ...DEEPSEEK, architecture: 'glm4moe', nextn: 1 };
  expect(specOf(glm).layers.map(({ ffnRouter }) => ffnRouter !== undefined)).toEqual([false, true]);
  expect(() => specOf({ ...glm, keys: { nextn_predict_layers: u32(3) } })).toThrow('expected fewer than the 3 layers');
  expect(() => specOf({ ...DEEPSEEK, nextn: 1 })).toThrow('multi-token prediction');
});

test('weights over those chosen where the file says that they are normed, if the architecture leaves it to the file', () => {
  const normed = { expert_weights_norm: { type: 'bool', value: 1 } } as const;
  const { dense: _, ...bailing } = { ...DEEPSEEK, architecture: 'bailingmoe', optional: [] };
  expect(specOf(bailing).experts).toMatchObject({ weightsOver: 'all' });
  expect(specOf({ ...bailing, keys: normed }).experts).toMatchObject({ weightsOver: 'chosen' });
  expect(() => specOf(withKeys(normed))).toThrow(UnsupportedError);
});

/** The same model under the name of an architecture that there is not. */
function unknown(more: Partial<GgufInput> = {}): string {
  const { metadata, tensors } = tinyModel();
  const named = metadata.map(([key, value]) => [`${key}`.replace(/^llama\./, 'dots9.'), value] as const);
  const rest = named.filter(([key]) => key !== 'general.architecture');
  return writeModel({
    metadata: [...rest, ['general.architecture', str('dots9')], ...(more.metadata ?? [])],
    tensors: [...tensors, ...(more.tensors ?? [])],
  });
}
const refusal = (path: string) => expect(() => modelSpec(readGguf(path)));

test('of an architecture that is not supported, what is missing is named', () => {
  refusal(unknown({ metadata: [['dots9.expert_gating_func', u32(4)]] })).toThrow(
    'architecture "dots9" is not supported: it needs experts weighted by other than softmax or sigmoids, which',
  );
  const tensors = ['blk.0.ffn_norm_exps.weight', 'blk.1.ffn_norm_exps.weight', 'blk.0.attn_q.scale', 'a.b'].map(
    (name) => tensor(name, 'F32', 4),
  );
  refusal(unknown({ tensors })).toThrow('it needs a place for "ffn_norm_exps.weight", "a.b", which this compiler does');
  refusal(unknown()).toThrow(
    '"dots9" is not supported: its tensors and keys are known, but not what it does with them',
  );
});
