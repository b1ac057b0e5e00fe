import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readGguf } from '../../runtime/files/gguf.js';
import { type GgufInput, type MetadataValue, u32, writeGguf } from '../support/gguf_writer.js';
import { processorMs } from '../support/time.js';
import { tensor, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

const golden = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

function readWith(keys: Record<string, MetadataValue>) {
  return readGguf(writeModel({ metadata: Object.entries(keys), tensors: [] })).metadata;
}

describe('a sound file', () => {
  const bytes = writeGguf(tinyModel());
  const file = readGguf(writeModel(tinyModel()));
  const dataBytes = tinyModel().tensors.reduce((sum, { data }) => sum + 32 * Math.ceil(data.length / 32), 0);

  test('has its size, version, alignment and header', () => {
    const headerBytes = bytes.length - dataBytes;
    expect(file).toMatchObject({ bytes: bytes.length, version: 3, alignment: 32, headerBytes });
    expect(file.headerSha256).toBe(createHash('sha256').update(bytes.subarray(0, headerBytes)).digest('hex'));
  });

  test('has its tensors in order, with absolute offsets', () => {
    let offset = bytes.length - dataBytes;
    for (const [i, { name, type, dims, data }] of tinyModel().tensors.entries()) {
      expect(file.tensors[i]).toEqual({ name, type, dims, offset, bytes: data.length });
      offset += 32 * Math.ceil(data.length / 32);
    }
    expect(file.tensors).toHaveLength(tinyModel().tensors.length);
  });

  test.each([2, 3])('may be version %d', (version) => {
    expect(readGguf(writeModel({ ...tinyModel(), version })).version).toBe(version);
  });

  test.each([8, 64, 4096])('may be aligned to %d', (alignment) => {
    const input = { ...withKeys(tinyModel(), { 'general.alignment': u32(alignment) }), alignment };
    const { headerBytes, tensors } = readGguf(writeModel(input));
    expect(headerBytes % alignment).toBe(0);
    expect(tensors.map(({ offset }) => offset % alignment)).toEqual(tensors.map(() => 0));
  });

  test('may hold metadata alone, without padding', () => {
    const whole = writeGguf({ metadata: [['a', u32(1)]], tensors: [] });
    const input: GgufInput = { metadata: [['a', u32(1)]], tensors: [], alignment: 1 };
    expect(readGguf(writeModel(input))).toMatchObject({ tensors: [], headerBytes: 24 + 8 + 1 + 4 + 4 });
    expect(readGguf(writeModel({ ...input, alignment: 32 })).headerBytes).toBe(whole.length);
  });

  test('may be larger than its tensors', () => {
    const longer = { ...tinyModel(), tensors: [...tinyModel().tensors, tensor('extra', 'F32', 1000)] };
    expect(readGguf(writeModel(longer)).tensors.at(-1)?.bytes).toBe(4000);
  });
});

describe('metadata', () => {
  test('of every type is read with its value', () => {
    const values: Record<string, MetadataValue> = {
      uint8: { type: 'uint8', value: 255 },
      int8: { type: 'int8', value: -128 },
      uint16: { type: 'uint16', value: 65535 },
      int16: { type: 'int16', value: -32768 },
      uint32: { type: 'uint32', value: 4294967295 },
      int32: { type: 'int32', value: -2147483648 },
      uint64: { type: 'uint64', value: 2n ** 64n - 1n },
      int64: { type: 'int64', value: -(2n ** 63n) },
      float32: { type: 'float32', value: 0.5 },
      float64: { type: 'float64', value: 0.1 },
      string: { type: 'string', value: 'naïve ☃' },
    };
    const metadata = readWith({ ...values, bool: { type: 'bool', value: 1 } });
    for (const [key, value] of Object.entries(values)) expect(metadata.get(key)).toEqual(value);
    expect(metadata.getBool('bool')).toBe(true);
  });

  test('getters take any width of a kind', () => {
    const metadata = readWith({
      a: { type: 'int64', value: 7n },
      b: { type: 'float64', value: 0.1 },
      c: { type: 'bool', value: 0 },
    });
    expect(metadata.getUint('a')).toBe(7);
    expect(metadata.getFloat('b')).toBe(0.1);
    expect(metadata.getBool('c')).toBe(false);
    expect([metadata.getUint('x'), metadata.getFloat('x'), metadata.getBool('x'), metadata.getString('x')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('arrays are decoded on demand', () => {
    const metadata = readWith({
      words: { type: 'array', of: 'string', value: ['a', '', 'ÿ', 'Ġthe'] },
      numbers: { type: 'array', of: 'int32', value: [-1, 0, 2 ** 31 - 1] },
      long: { type: 'array', of: 'uint64', value: [1n, 2n ** 40n] },
      scores: { type: 'array', of: 'float32', value: [-0.5, 2] },
      none: { type: 'array', of: 'string', value: [] },
    });
    expect(metadata.stringArray('words')).toEqual(['a', '', 'ÿ', 'Ġthe']);
    expect(metadata.numberArray('numbers')).toEqual([-1, 0, 2 ** 31 - 1]);
    expect(metadata.numberArray('long')).toEqual([1, 2 ** 40]);
    expect(metadata.numberArray('scores')).toEqual([-0.5, 2]);
    expect(metadata.stringArray('none')).toEqual([]);
    expect(metadata.stringArray('absent')).toBeUndefined();
    expect(metadata.getArray('words')).toMatchObject({ of: 'string', length: 4 });
  });

  test.each<[string, MetadataValue, (m: ReturnType<typeof readWith>) => unknown, string]>([
    [
      'a string for a number',
      { type: 'string', value: '7' },
      (m) => m.getUint('k'),
      'an unsigned integer, found string "7"',
    ],
    ['a negative number', { type: 'int32', value: -3 }, (m) => m.getUint('k'), 'an unsigned integer, found int32 -3'],
    [
      'a number of 2^53',
      { type: 'uint64', value: 2n ** 53n },
      (m) => m.getUint('k'),
      'an unsigned integer, found uint64 9007199254740992',
    ],
    [
      'a float for an integer',
      { type: 'float32', value: 2 },
      (m) => m.getUint('k'),
      'an unsigned integer, found float32 2',
    ],
    ['an integer for a float', { type: 'uint32', value: 2 }, (m) => m.getFloat('k'), 'a float, found uint32 2'],
    [
      'a bool for an integer',
      { type: 'bool', value: 1 },
      (m) => m.getUint('k'),
      'an unsigned integer, found bool true',
    ],
    ['a number for a bool', { type: 'uint8', value: 1 }, (m) => m.getBool('k'), 'a bool, found uint8 1'],
    [
      'an array for a string',
      { type: 'array', of: 'string', value: ['a'] },
      (m) => m.getString('k'),
      'a string, found array of 1 string',
    ],
    ['a string for an array', { type: 'string', value: 'a' }, (m) => m.stringArray('k'), 'an array, found string "a"'],
    [
      'numbers for strings',
      { type: 'array', of: 'int32', value: [1] },
      (m) => m.stringArray('k'),
      'an array of strings, found array of 1 int32',
    ],
    [
      'strings for numbers',
      { type: 'array', of: 'string', value: ['1'] },
      (m) => m.numberArray('k'),
      'an array of numbers, found array of 1 string',
    ],
    [
      'bools for numbers',
      { type: 'array', of: 'bool', value: [1] },
      (m) => m.numberArray('k'),
      'an array of numbers, found array of 1 bool',
    ],
    [
      'a token that is no UTF-8',
      { type: 'array', of: 'string', value: ['a', Buffer.from([0xff])] },
      (m) => m.stringArray('k'),
      'UTF-8, element 1 is not',
    ],
  ])('%s is refused by key and type', (_, value, get, message) => {
    expect(() => get(readWith({ k: value }))).toThrow(`metadata key "k": expected ${message}`);
  });
});

test.each(readdirSync(golden).filter((name) => name.endsWith('.gguf')))('%s is read to its last byte', (name) => {
  const { tensors, bytes } = readGguf(`${golden}/${name}`);
  const end = Math.max(...tensors.map((tensor) => tensor.offset + tensor.bytes));
  expect(bytes).toBe(readFileSync(`${golden}/${name}`).length);
  expect(Math.ceil(end / 32) * 32).toBe(Math.ceil(bytes / 32) * 32);
});

test('a tokenizer of the size of Llama 3 is read in a fraction of a second', () => {
  const words = (count: number): string[] => Array.from({ length: count }, (_, i) => `token ${i}`);
  const path = writeModel(
    withKeys(tinyModel(), {
      'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: words(128256) },
      'tokenizer.ggml.merges': { type: 'array', of: 'string', value: words(280147) },
    }),
  );
  expect(processorMs(() => readGguf(path))).toBeLessThan(1000);
  expect(readGguf(path).metadata.stringArray('tokenizer.ggml.merges')?.at(-1)).toBe('token 280146');
});
