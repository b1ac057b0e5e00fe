/** Hostile sizes and files: every reader refuses them by name and place, with little memory and in few words. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectFile } from '../../compiler/model/inspect.js';
import { modelSpec } from '../../compiler/model/load.js';
import { CompileError, ModelFileError } from '../../runtime/common/errors.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { scanJson } from '../../runtime/files/json_scan.js';
import { readModel } from '../../runtime/files/read.js';
import { CLI } from '../support/artifacts.js';
import { writeGguf } from '../support/gguf_writer.js';
import { F32_PAIR, type FolderFiles, safetensorsFile, writeFolder } from '../support/safetensors_writer.js';
import { temporaryFile, temporaryFolder, tinyModel, withKeys } from '../support/tiny_models.js';
import { type Config, configOf, readTransformersModel, withConfig } from '../support/transformers_models.js';

const MOST = 2000;
const folder = (files: FolderFiles) => writeFolder(mkdtempSync(join(temporaryFolder, 'hostile-')), files);
const sound = safetensorsFile({ a: F32_PAIR }, Buffer.alloc(8));
const config = JSON.stringify({ model_type: 'llama' });

/** The message, or that of what inspect says of the model. */
function refusal(path: string): string {
  try {
    const message = inspectFile(path).refusal;
    expect(message, path).not.toBeNull();
    return message!;
  } catch (error) {
    expect(error).toBeInstanceOf(CompileError);
    return (error as Error).message;
  }
}

const nested = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);

describe('what JSON.parse or regular expressions choke on', () => {
  const long = 'x'.repeat(9_000_000);
  const header = (tensor: string) => {
    return folder({ 'config.json': config, 'model.safetensors': safetensorsFile(`{"a":${tensor}}`, Buffer.alloc(8)) });
  };
  const shape = (text: string) => header(`{"dtype":"F32","shape":${text},"data_offsets":[0,8]}`);
  test.each<[string, () => string, string]>([
    [
      'a long string in config.json',
      () => folder({ 'config.json': `{"model_type":"${long}"}`, 'model.safetensors': sound }),
      'model type "xxx',
    ],
    [
      'a long key in config.json',
      () => folder({ 'config.json': `{"model_type":"llama","${long}":1}`, 'model.safetensors': sound }),
      'expected a value',
    ],
    [
      'deep lists in config.json',
      () => folder({ 'config.json': `{"pruned_heads":${nested(1e5, '[', ']')}}`, 'model.safetensors': sound }),
      'at most 64 levels',
    ],
    [
      'deep objects in config.json',
      () => folder({ 'config.json': nested(1e5, '{"a":', '}'), 'model.safetensors': sound }),
      'at most 64 levels',
    ],
    [
      'a file of brackets',
      () => folder({ 'config.json': '['.repeat(1e6), 'model.safetensors': sound }),
      'at most 64 levels',
    ],
    [
      'a long string in a header',
      () => header(`{"dtype":"${long}","shape":[2],"data_offsets":[0,8]}`),
      'expected a dtype of',
    ],
    ['a deep shape', () => shape(nested(1e5, '[', ']')), 'at most 64 levels'],
    ['a long shape', () => shape(`[${'1,'.repeat(300_000)}-1]`), 'found [1, 1, 1, 1, 1 and 299996 more]'],
    ['a long shape of numbers', () => shape(`[${'9,'.repeat(300_000)}9]`), 'multiply to at most'],
    [
      'long offsets',
      () => header(`{"dtype":"F32","shape":[2],"data_offsets":[${'1,'.repeat(300_000)}1]}`),
      'found [1, 1,',
    ],
    [
      'a deep index',
      () =>
        folder({ 'config.json': config, 'model.safetensors.index.json': `{"weight_map":${nested(1e4, '[', ']')}}` }),
      'at most 64 levels',
    ],
    [
      'a long name of a shard',
      () => folder({ 'config.json': config, 'model.safetensors.index.json': { weight_map: { a: `${long}/` } } }),
      'name of a safetensors file',
    ],
  ])('%s', (_, make, message) => {
    const found = refusal(make());
    expect(found).toContain(message);
    expect(found.length).toBeLessThan(MOST);
  });

  test('more values than any file has', () => {
    expect(scanJson(`[${'0,'.repeat(9_000_000)}0]`).tooMuch).toContain('values');
  });
});

test.each<[string, string | undefined]>([
  ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}', undefined],
  ['{"a":"a","b":":","c":"{\\"a\\":1}","\\\\":1,"\\\\\\\\":1}', undefined],
  ['{"a\\\\":1,"a\\\\":1}', '"a\\\\"'],
  ['{"x":{"__proto__":1,"__proto__":2}}', '"__proto__"'],
  ['{"constructor":1,"toString":1,"constructor":2}', '"constructor"'],
  ['{"a" : 1 , "\\u0061" : 2}', '"a"'],
  ['{"a":1,"b":[1,{"c":1}],"a":2}', '"a"'],
])('keys that stand twice in one object: %s', (text, twice) => {
  expect(scanJson(text).twice).toBe(twice === undefined ? undefined : JSON.stringify(JSON.parse(twice)));
});

describe('sizes are bounded before anything is made', () => {
  const LLAMA3 = (configOf('llama-llama3') as Config).rope_parameters as Config;
  test.each<[string, Config, string]>([
    ['llama-llama3', { hidden_size: 2 ** 32, head_dim: undefined }, 'key "hidden_size": expected 1 to 1048576'],
    ['llama-llama3', { head_dim: 2 ** 40 }, 'key "head_dim": expected 1 to 65536'],
    ['llama-llama3', { num_attention_heads: 2 ** 31 }, 'key "num_attention_heads": expected 1 to 65536'],
    ['llama-llama3', { num_key_value_heads: 2 ** 31 }, 'key "num_key_value_heads": expected 1 to 65536'],
    ['llama-llama3', { intermediate_size: 2 ** 31 }, 'key "intermediate_size": expected 1 to 16777216'],
    ['llama-llama3', { vocab_size: 2 ** 31 }, 'key "vocab_size": expected 1 to 16777216'],
    ['llama-llama3', { max_position_embeddings: 2 ** 31 }, 'key "max_position_embeddings": expected 1 to 2147483647'],
    ['llama-llama3', { num_hidden_layers: 65536 }, 'no more layers than'],
    ['mixtral', { num_local_experts: 2 ** 40 }, 'experts'],
    ['llama-llama3', { rope_parameters: { ...LLAMA3, high_freq_factor: 1 } }, 'key "rope_parameters.high_freq_factor"'],
  ])('%s %j', (name, changes, message) => {
    const found = refusal(withConfig(name, changes));
    expect(found).toContain(message);
    expect(found.length).toBeLessThan(MOST);
  });

  test('inspect needs less than 96 MiB of heap for them', () => {
    const path = withConfig('llama-llama3', { hidden_size: 2 ** 32, head_dim: undefined });
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--max-old-space-size=96', CLI, 'inspect', path], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('key "hidden_size": expected 1 to 1048576, found 4294967296');
    expect(status).toBe(0);
  });
});

describe('numbers that are no finite float32', () => {
  const YARN = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 128 };
  test.each<[string, Config, string]>([
    ['llama-yarn', { rope_parameters: { ...YARN, rope_theta: 1e-45 } }, 'frequencies of the rope: expected a finite'],
    [
      'llama-yarn',
      { rope_parameters: { ...YARN, rope_theta: 1e39 } },
      'key "rope_parameters.rope_theta": expected a number that float32',
    ],
    [
      'llama-yarn',
      { rope_parameters: { ...YARN, attention_factor: 1e300 } },
      'attention_factor": expected a number that',
    ],
    ['llama', { rms_norm_eps: 1e39 }, 'key "rms_norm_eps": expected a number that float32 holds'],
    ['granite', { attention_multiplier: 1e300 }, 'key "attention_multiplier": expected a number that float32 holds'],
    ['granite', { logits_scaling: 1e-45 }, 'scale of the logits: expected a finite float32'],
    ['gemma2', { query_pre_attn_scalar: 1e-90 }, 'scale of attention: expected a finite float32'],
    [
      'phi3-longrope',
      {
        rope_parameters: {
          ...(configOf('phi3-longrope').rope_parameters as Config),
          long_factor: Array(16).fill(1e-45),
        },
      },
      'frequencies of the rope',
    ],
  ])('%s %j', (name, changes, message) => {
    expect(refusal(withConfig(name, changes))).toMatch(new RegExp(message.replace(/[.]/g, '\\.')));
  });

  test('a GGUF file with such a base', () => {
    const value = 1e-45;
    const path = temporaryFile(
      writeGguf(
        withKeys(tinyModel(), {
          'llama.rope.freq_base': { type: 'float32', value },
          'llama.rope.scaling.type': { type: 'string', value: 'yarn' },
          'llama.rope.scaling.factor': { type: 'float32', value: 4 },
        }),
      ),
    );
    expect(() => modelSpec(readGguf(path))).toThrow(ModelFileError);
    expect(() => modelSpec(readGguf(path))).toThrow('frequencies of the rope');
  });

  test('a number beyond float64 in JSON', () => {
    const text = JSON.stringify(configOf('llama')).replace('"rms_norm_eps":0.000001', '"rms_norm_eps":1e999');
    expect(text).toContain('1e999');
    const path = folder({ 'config.json': text, 'model.safetensors': sound });
    expect(() => readModel(path)).toThrow('key "rms_norm_eps": expected a number that float32 holds, found Infinity');
  });
});

describe('what is no regular file', () => {
  const at = (name: string) => join(mkdtempSync(join(temporaryFolder, 'special-')), name);
  const pipe = (name: string) => {
    const path = at(name);
    execFileSync('mkfifo', [path]);
    return path;
  };
  test('a pipe that nobody writes to', () => {
    expect(() => readModel(pipe('model.gguf'))).toThrow('expected a regular file, found a pipe');
    const { folder: llama } = readTransformersModel('llama');
    for (const name of ['config.json', 'model.safetensors']) {
      const path = pipe(name);
      const other = name === 'config.json' ? { 'model.safetensors': sound } : { 'config.json': configOf('llama') };
      writeFolder(join(path, '..'), other);
      expect(() => readModel(join(path, '..')), llama).toThrow(`${name}: file: expected a regular file, found a pipe`);
    }
  });

  test('devices and folders', () => {
    for (const device of ['/dev/null', '/dev/zero']) expect(() => readModel(device)).toThrow('found a device');
    const path = folder({ 'config.json': configOf('llama') });
    writeFolder(join(path, 'model.safetensors'), {});
    expect(() => readModel(path)).toThrow('expected a regular file, found a folder');
  });

  test('a socket', async () => {
    const path = at('model.gguf');
    const server = createServer().listen(path);
    await new Promise((resolve) => server.on('listening', resolve));
    try {
      expect(() => readModel(path)).toThrow(ModelFileError);
    } finally {
      server.close();
    }
  });
});

test('a very long path is not repeated whole', () => {
  const path = `/${'a/'.repeat(1900)}model.gguf`;
  expect(refusal(path).length).toBeLessThan(MOST);
});

test('what published converters write beside the hyperparameters changes nothing', () => {
  const text = (value: string) => ({ type: 'string', value }) as const;
  const u32 = (value: number) => ({ type: 'uint32', value }) as const;
  const plain = modelSpec(readGguf(temporaryFile(writeGguf(tinyModel()))));
  const keys = {
    'general.type': text('model'),
    'general.basename': text('Llama-3.2'),
    'general.finetune': text('Instruct'),
    'general.size_label': text('1B'),
    'general.file_type': u32(7),
    'general.quantization_version': u32(2),
    'general.license': text('llama3.2'),
    'general.tags': { type: 'array', of: 'string', value: ['text-generation'] },
    'general.languages': { type: 'array', of: 'string', value: ['en'] },
    'general.base_model.count': u32(1),
    'general.base_model.0.repo_url': text('x'),
    'general.dataset.count': u32(0),
    'general.quantized_by': text('x'),
    'general.repo_url': text('x'),
    'general.sampling.temp': { type: 'float32', value: 0.6 },
    'quantize.imatrix.file': text('imatrix.dat'),
    'quantize.imatrix.dataset': text('calibration.txt'),
    'quantize.imatrix.entries_count': { type: 'int32', value: 224 },
    'quantize.imatrix.chunks_count': { type: 'int32', value: 125 },
    'split.no': { type: 'uint16', value: 0 },
    'split.count': { type: 'uint16', value: 0 },
    'split.tensors.count': { type: 'int32', value: 20 },
    'llama.vocab_size': u32(40),
    'llama.rope.scaling.finetuned': { type: 'bool', value: false },
    'llama.attention.causal': { type: 'bool', value: true },
    'llama.attention.temperature_scale': { type: 'float32', value: 0 },
    'llama.expert_count': u32(0),
    'llama.expert_used_count': u32(0),
    'llama.expert_group_count': u32(1),
    'llama.expert_group_used_count': u32(1),
    'llama.pooling_type': u32(0),
    'llama.tensor_data_layout': text('Meta AI original pth'),
    'tokenizer.chat_template': text('{{ messages }}'),
    'tokenizer.huggingface.json': text('{}'),
    'adapter.type': text('none'),
    'mradermacher.quantized_on': text('host'),
  } as const;
  const { file: _, ...rest } = modelSpec(readGguf(temporaryFile(writeGguf(withKeys(tinyModel(), keys)))));
  expect({ ...rest, tokenEmbedding: 0, output: 0, outputNorm: 0, layers: rest.layers.length }).toEqual({
    ...{ ...plain, file: undefined, tokenEmbedding: 0, output: 0, outputNorm: 0, layers: plain.layers.length },
  });
});
