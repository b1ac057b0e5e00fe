import { describe, expect, test } from 'vitest';
import { inspectModel } from '../../compiler/model/inspect.js';
import { renderInspection } from '../../compiler/model/inspect_text.js';
import { formatBytes } from '../../runtime/common/text.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { f32, type GgufInput, type MetadataValue, str, u32 } from '../support/gguf_writer.js';
import { tensor, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

const inspect = (input: GgufInput) => inspectModel(readGguf(writeModel(input)));

describe('a model that can be compiled', () => {
  const inspection = inspect(withKeys(tinyModel(), { 'llama.context_length': u32(3000) }));

  test('has no refusal', () => expect(inspection.refusal).toBeNull());

  test('lists metadata with long arrays shortened', () => {
    const find = (key: string) => inspection.metadata.find((entry) => entry.key === key);
    expect(find('general.architecture')).toEqual({ key: 'general.architecture', type: 'string', value: 'llama' });
    const first = ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7'];
    expect(find('tokenizer.ggml.tokens')?.value).toEqual({ length: 40, of: 'string', first });
    expect(find('tokenizer.ggml.token_type')?.value).toMatchObject({
      length: 40,
      of: 'int32',
      first: Array(8).fill(1),
    });
  });

  test('lists tensors with type, shape and bytes, and totals by type', () => {
    const { offset, ...embedding } = inspection.tensors[0]!;
    expect(embedding).toEqual({ name: 'token_embd.weight', type: 'Q8_0', shape: [64, 40], bytes: (64 * 40 * 34) / 32 });
    const matrix = 64 * 40 + 2 * (64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 64 * 96);
    expect(inspection.types).toEqual([
      { type: 'Q8_0', tensors: 15, elements: matrix, bytes: (matrix * 34) / 32 },
      { type: 'F32', tensors: 5, elements: 5 * 64, bytes: 5 * 64 * 4 },
    ]);
    expect(inspection.memory.weightsBytes).toBe((matrix * 34) / 32 + 5 * 64 * 4);
  });

  test('needs a KV cache of 2 layers x 1 head x (32 + 32) x 2 bytes a position', () => {
    const contexts = [512, 1024, 2048, 3000];
    expect(inspection.memory.kvCache).toEqual(contexts.map((context) => ({ context, bytes: context * 256 })));
  });

  test('prints all of it', () => {
    const text = renderInspection(inspection);
    expect(text).toContain('can be compiled\n');
    expect(text).toContain('string[40]  ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", …]');
    expect(text).toMatch(/blk\.1\.ffn_down\.weight +Q8_0 +96 x 64 +6\.38 KiB/);
    expect(text).toMatch(/Q8_0 +15 tensors +64000 elements +66\.41 KiB/);
    expect(text).toMatch(/3000 tokens +750\.00 KiB KV cache +817\.66 KiB in all/);
  });
});

describe('a model that cannot be compiled', () => {
  const other: GgufInput = {
    metadata: [
      ['general.architecture', str('hybrid')],
      ['hybrid.context_length', u32(1024)],
      ['hybrid.embedding_length', u32(128)],
      ['hybrid.block_count', u32(3)],
      ['hybrid.attention.head_count', { type: 'array', of: 'uint32', value: [0, 4, 4] }],
      ['hybrid.attention.head_count_kv', { type: 'array', of: 'uint32', value: [0, 2, 1] }],
    ],
    tensors: [tensor('a', 'F32', 4), { name: 'b', type: 23, dims: [256, 3], data: Buffer.alloc(3 * 136) }],
  };

  test('is shown with the reason', () => {
    const inspection = inspect(other);
    expect(inspection.refusal).toContain('architecture "hybrid" is not supported');
    expect(renderInspection(inspection)).toContain('cannot be compiled: architecture "hybrid" is not supported');
    expect(inspection.types.map(({ type, bytes }) => [type, bytes])).toEqual([
      ['IQ4_XS', 408],
      ['F32', 16],
    ]);
  });

  test('needs what its keys say, unless they say that there is none of it', () => {
    const metadata: GgufInput['metadata'] = [
      ...other.metadata,
      ['hybrid.ssm.state_size', u32(16)],
      ['hybrid.wkv.head_size', u32(0)],
      ['hybrid.expert_count', u32(0)],
      ['hybrid.rope.dimension_sections', { type: 'array', of: 'int32', value: [0, 0, 0, 0] }],
    ];
    expect(inspect({ ...other, metadata }).refusal).toContain(
      'it needs state-space layers, a place for "a", "b", which',
    );
  });

  test('needs a KV cache of the layers that have heads', () => {
    expect(inspect(other).memory.kvCache).toEqual([
      { context: 512, bytes: 512 * 3 * (32 + 32) * 2 },
      { context: 1024, bytes: 1024 * 3 * (32 + 32) * 2 },
    ]);
  });

  test('needs an unknown KV cache where the metadata has no attention', () => {
    const inspection = inspect({ metadata: [['general.architecture', str('mamba')]], tensors: [] });
    expect(inspection.memory.kvCache).toBeNull();
    expect(renderInspection(inspection)).toContain('does not describe a KV cache');
  });

  test('may have nothing in it', () => {
    expect(renderInspection(inspect({ metadata: [], tensors: [] }))).toContain('Tensors (0)');
  });
});

test('values that JSON lacks and names that a terminal would obey are printable', () => {
  const keys: Record<string, MetadataValue> = {
    'a.huge': { type: 'uint64', value: 2n ** 64n - 1n },
    'a.nan': f32(Number.NaN),
    'a.tokens': { type: 'array', of: 'string', value: [Buffer.from([0xff]), '\u001b[2J'] },
    'evil\u001b[2J\u009b': str('\u202ea"\n'),
    'a.long': str('x'.repeat(1000)),
    __proto__: u32(1),
  };
  const metadata = Object.entries(keys);
  const inspection = inspect({ metadata: [...metadata, ['__proto__', u32(1)]], tensors: [tensor('*/', 'F32', 1)] });
  expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
  const text = renderInspection(inspection);
  for (const character of ['\u001b', '\u009b', '\u202e']) expect(text).not.toContain(character);
  for (const shown of [
    '18446744073709551615',
    'NaN',
    '"evil\\u001b[2J\\u009b"',
    '"\\u202ea\\"\\n"',
    '__proto__',
    '"*/"',
  ]) {
    expect(text).toContain(shown);
  }
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(300);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.00 KiB'],
  [1024 ** 2 - 1, '1024.00 KiB'],
  [4.5 * 1024 ** 3, '4.50 GiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
