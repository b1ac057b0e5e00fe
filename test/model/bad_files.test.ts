/** Files that are damaged or no GGUF at all: each error names the file, the place, what was expected and found. */
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ModelFileError } from '../../runtime/common/errors.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { type GgufInput, type MetadataValue, str, u32, writeGguf } from '../support/gguf_writer.js';
import { temporaryFile, temporaryFolder, tensor, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

/** The message must hold the path, then everything that is listed. */
function expectRefused(path: string, ...parts: string[]): void {
  let message = '';
  try {
    readGguf(path);
  } catch (error) {
    expect(error).toBeInstanceOf(ModelFileError);
    message = (error as Error).message;
  }
  expect(message.startsWith(`${path}: `)).toBe(true);
  for (const part of parts) expect(message).toContain(part);
}

const sound = writeGguf(tinyModel());
const FIRST_KEY = 24;
const TENSOR_COUNT = 8;
const KEY_COUNT = 16;

/** The sound file with these bytes written over it. */
function patched(offset: number, bytes: Uint8Array | bigint): Buffer {
  const copy = Buffer.from(sound);
  if (typeof bytes === 'bigint') copy.writeBigUInt64LE(bytes, offset);
  else copy.set(bytes, offset);
  return copy;
}

/** Where the bytes after this name begin: a value type for a key, a number of dimensions for a tensor. */
function endOf(name: string): number {
  return sound.indexOf(name) + name.length;
}

describe('what is no GGUF file', () => {
  const start = (text: string) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(64)]);
  const safetensors = Buffer.concat([
    Buffer.from([64, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from('{"__metadata__":{}}'.padEnd(64)),
  ]);
  test.each<[string, Buffer, string[]]>([
    ['an empty file', Buffer.alloc(0), ['header at byte 0', '24 bytes or more', 'found no bytes']],
    ['a file of 3 bytes', Buffer.from('GGU'), ['header at byte 0', '24 bytes or more', 'found 3 bytes']],
    ['a header cut short', sound.subarray(0, 23), ['24 bytes or more', 'found 23 bytes']],
    ['safetensors', safetensors, ['header at byte 0', '"GGUF"', 'safetensors']],
    ['a zip archive', start('PK\x03\x04'), ['"GGUF"', 'zip archive', 'PyTorch']],
    ['ggml', start('lmgg'), ['"GGUF"', 'legacy ggml file']],
    ['ggmf', start('fmgg'), ['legacy ggmf file']],
    ['ggjt', start('tjgg'), ['legacy ggjt file']],
    ['a pickle', start('\x80\x02}q'), ['Python pickle']],
    ['a git-lfs pointer', start('version https://git-lfs.github.com/spec/v1\n'), ['git-lfs pointer', 'git lfs pull']],
    ['an HTML page', start('<!DOCTYPE html>'), ['HTML', 'failed download']],
    ['anything else', start('\xde\xad\xbe\xef'), ['found the bytes deadbeef']],
  ])('%s', (_, bytes, parts) => expectRefused(temporaryFile(bytes), ...parts));

  test('no file', () => expectRefused(join(temporaryFolder, 'absent.gguf'), 'file: ', 'ENOENT'));
  test('a folder', () => expectRefused(temporaryFolder, 'file: expected a regular file'));
});

describe('version', () => {
  const version = (...bytes: number[]) => temporaryFile(patched(4, Uint8Array.from(bytes)));
  test.each([0, 1, 4, 255])('%d', (number) => {
    expectRefused(version(number, 0, 0, 0), 'header at byte 4', 'version 2 or 3', `found version ${number}`);
  });
  test.each([2, 3])('%d, big-endian', (number) => {
    expectRefused(version(0, 0, 0, number), 'header at byte 4', 'little-endian', 'big-endian');
  });
});

describe('counts and lengths larger than the file', () => {
  const big = 2n ** 40n;
  test.each<[string, Buffer, string[]]>([
    ['tensor count', patched(TENSOR_COUNT, big), ['header at byte 8', 'a number of tensors that fits', `found ${big}`]],
    [
      'tensor count of 2^64 - 1',
      patched(TENSOR_COUNT, 2n ** 64n - 1n),
      ['header at byte 8', 'below 2^53', 'found 18446744073709551615'],
    ],
    [
      'key count',
      patched(KEY_COUNT, big),
      ['header at byte 16', 'a number of metadata entries that fits', `found ${big}`],
    ],
    [
      'key length',
      patched(FIRST_KEY, big),
      ['metadata entry 0 at byte 24', 'a length of a key that fits', `found ${big}`],
    ],
    [
      'string length',
      patched(endOf('general.name') + 4, big),
      ['metadata key "general.name"', 'a length of a string value', `found ${big}`],
    ],
    [
      'array length',
      patched(endOf('tokenizer.ggml.tokens') + 8, big),
      ['metadata key "tokenizer.ggml.tokens"', 'a number of strings', `found ${big}`],
    ],
    [
      'length of an array element',
      patched(endOf('tokenizer.ggml.tokens') + 16, big),
      ['metadata key "tokenizer.ggml.tokens"', 'a length of string 0', `found ${big}`],
    ],
    [
      'length of a number array',
      patched(endOf('tokenizer.ggml.token_type') + 8, big),
      ['metadata key "tokenizer.ggml.token_type"', 'a number of int32 elements', `found ${big}`],
    ],
    [
      'tensor name length',
      patched(sound.indexOf('token_embd.weight') - 8, big),
      ['tensor 0 at byte', 'a length of a tensor name', `found ${big}`],
    ],
  ])('%s', (_, bytes, parts) => expectRefused(temporaryFile(bytes), ...parts));

  test.each<[string, Buffer, string[]]>([
    ['tensors', patched(TENSOR_COUNT, 2n ** 21n), ['header at byte 8', 'at most 1048576 tensors, found 2097152']],
    ['keys', patched(KEY_COUNT, 2n ** 21n), ['header at byte 16', 'at most 1048576 metadata entries, found 2097152']],
    ['bytes of header', patched(FIRST_KEY, 2n ** 29n), ['metadata entry 0', 'a header of at most 268435456 bytes']],
  ])('more %s than any model has, in a file that could hold them', (_, bytes, parts) => {
    const path = temporaryFile(bytes);
    truncateSync(path, 2 ** 30);
    expectRefused(path, ...parts);
    truncateSync(path);
  });

  test('one tensor more than there are', () => {
    const count = tinyModel().tensors.length;
    expectRefused(temporaryFile(patched(TENSOR_COUNT, BigInt(count + 1))), `tensor ${count} at byte`, 'a tensor name');
  });
  test('one key more than there are', () => {
    const count = tinyModel().metadata.length;
    expectRefused(temporaryFile(patched(KEY_COUNT, BigInt(count + 1))), 'tensor 0 at byte', 'a tensor name');
  });
});

test('truncated anywhere', () => {
  const { tensors } = readGguf(temporaryFile(sound));
  const end = Math.max(...tensors.map(({ offset, bytes }) => offset + bytes));
  const headerBytes = Math.min(...tensors.map(({ offset }) => offset));
  const cuts = [...Array(headerBytes).keys(), ...tensors.map(({ offset, bytes }) => offset + bytes - 1), end - 1];
  for (const cut of cuts) expectRefused(temporaryFile(sound.subarray(0, cut)), 'expected', 'found');
  const last = `tensor "${tensors.at(-1)!.name}"`;
  expectRefused(temporaryFile(sound.subarray(0, end - 1)), last, `the end of the file at ${end - 1}`);
  readGguf(temporaryFile(sound.subarray(0, end)));
});

function metadataFile(...metadata: [string | Buffer, MetadataValue][]): string {
  return writeModel({ metadata, tensors: [] });
}

describe('metadata', () => {
  test('a key twice', () => {
    expectRefused(
      metadataFile(['a.b', u32(1)], ['c', u32(1)], ['a.b', u32(1)]),
      'metadata key "a.b" at byte',
      'a second time',
    );
  });
  test('a key without a name', () => expectRefused(metadataFile(['', u32(1)]), 'metadata entry 0', 'found ""'));
  test('a key that is too long', () => {
    expectRefused(metadataFile(['k'.repeat(65536), u32(1)]), 'metadata entry 0', '1 to 65535 bytes');
    expect(readGguf(metadataFile(['k'.repeat(65535), u32(1)])).metadata.get('k'.repeat(65535))).toBeDefined();
  });
  test('a key that is no UTF-8', () => {
    expectRefused(metadataFile([Buffer.from([0xc3, 0x28]), u32(1)]), 'metadata entry 0 at byte 24', 'UTF-8');
  });
  test('a string that is no UTF-8', () => {
    expectRefused(metadataFile(['a', str(Buffer.from([0xff]))]), 'metadata key "a"', 'UTF-8');
  });
  test('a bool of 2', () => {
    expectRefused(metadataFile(['a', { type: 'bool', value: 2 }]), 'metadata key "a" at byte 37', '0 or 1, found 2');
    expectRefused(
      metadataFile(['a', { type: 'array', of: 'bool', value: [1, 0, 9] }]),
      'metadata key "a" at byte 51',
      'found 9',
    );
  });
  test.each([13, 255, 2 ** 32 - 1])('value type %d', (type) => {
    const bytes = patched(endOf('general.name'), new Uint8Array(new Uint32Array([type]).buffer));
    expectRefused(temporaryFile(bytes), 'metadata key "general.name"', `0 to 12, found ${type}`);
  });
  test('element type 13', () => {
    const bytes = patched(endOf('tokenizer.ggml.tokens') + 4, Uint8Array.of(13));
    expectRefused(temporaryFile(bytes), 'metadata key "tokenizer.ggml.tokens"', '0 to 12, found 13');
  });
  test('nested arrays', () => {
    const bytes = patched(endOf('tokenizer.ggml.tokens') + 4, Uint8Array.of(9));
    expectRefused(temporaryFile(bytes), 'metadata key "tokenizer.ggml.tokens"', 'nested arrays');
  });
});

describe('alignment', () => {
  const withAlignment = (value: MetadataValue) => writeModel(withKeys(tinyModel(), { 'general.alignment': value }));
  test.each([0, 1, 4, 12, 48, 2 ** 31])('%d', (alignment) => {
    expectRefused(
      withAlignment(u32(alignment)),
      'metadata key "general.alignment"',
      'power of two',
      `found ${alignment}`,
    );
  });
  test('that is no integer', () => {
    expectRefused(withAlignment(str('32')), 'metadata key "general.alignment"', 'unsigned integer', 'string "32"');
  });
});

describe('tensors', () => {
  const file = (...tensors: GgufInput['tensors']) => writeModel({ metadata: [], tensors });
  const data = Buffer.alloc(128);
  const dims = (...dims: (number | bigint)[]) => file({ name: 't', type: 'F32', dims, data });

  test('a name twice', () =>
    expectRefused(file(tensor('t', 'F32', 4), tensor('t', 'F32', 4)), 'tensor "t" at byte', 'a second time'));
  test('a name that is empty, too long or no UTF-8', () => {
    expectRefused(file(tensor('', 'F32', 4)), 'tensor 0', '1 to 64 bytes');
    expectRefused(file(tensor('n'.repeat(65), 'F32', 4)), 'tensor 0', '1 to 64 bytes');
    expectRefused(file(tensor(Buffer.from([0xed, 0xa0, 0x80]), 'F32', 4)), 'tensor 0 at byte 24', 'UTF-8');
    expect(readGguf(file(tensor('n'.repeat(64), 'F32', 4))).tensors).toHaveLength(1);
  });
  test('no dimensions', () => expectRefused(dims(), 'tensor "t" at byte', '1 to 4 dimensions, found 0'));
  test('5 dimensions', () => expectRefused(dims(1, 1, 1, 1, 1), 'tensor "t" at byte', '1 to 4 dimensions, found 5'));
  test('2^32 - 1 dimensions', () => {
    const bytes = patched(endOf('token_embd.weight'), Uint8Array.of(255, 255, 255, 255));
    expectRefused(temporaryFile(bytes), 'tensor "token_embd.weight"', '1 to 4 dimensions, found 4294967295');
  });
  test('a dimension of 0', () =>
    expectRefused(dims(4, 0), 'tensor "t" at byte 45', '1 or more, found 0 for dimension 1'));
  test('a dimension of 2^64 - 1', () =>
    expectRefused(dims(2n ** 64n - 1n), 'tensor "t"', 'below 2^53', 'found 18446744073709551615'));
  test.each([
    [2n ** 33n, 2n ** 31n],
    [2n ** 32n, 2n ** 32n],
    [2n ** 16n, 2n ** 16n, 2n ** 16n, 2n ** 16n],
    [2n ** 52n, 2n ** 52n, 2n ** 52n, 2n ** 52n],
  ])('a product of dimensions that overflows: %s', (...list) => {
    expectRefused(dims(...list), 'tensor "t"', 'multiply to at most', `found [${list.join(', ')}]`);
  });
  test.each([4, 5, 31, 36, 42, 2 ** 32 - 1])('type %d, which nobody knows', (type) => {
    expectRefused(
      file({ name: 't', type, dims: [32], data }),
      'tensor "t" at byte',
      'ggml tensor type',
      `unknown type ${type}`,
    );
  });
  test.each([
    ['Q8_0', 32, 48],
    ['Q4_0', 32, 31],
    ['Q4_K', 256, 32],
    ['Q6_K', 256, 384],
  ] as const)('%s rows that are no multiple of %d', (type, block, cols) => {
    expectRefused(
      file({ name: 't', type, dims: [cols, 32], data }),
      'tensor "t"',
      `a multiple of ${block} elements for ${type}, found ${cols}`,
    );
  });
  test('an offset that is not aligned', () => {
    expectRefused(
      file({ ...tensor('t', 'F32', 4), offset: 16 }),
      'tensor "t"',
      'multiple of the alignment 32, found 16',
    );
  });
  test('an offset past the end', () => {
    expectRefused(file({ ...tensor('t', 'F32', 4), offset: 2n ** 40n }), 'tensor "t"', 'the end of the file at 96');
    expectRefused(file({ ...tensor('t', 'F32', 4), offset: 2n ** 63n }), 'tensor "t"', 'below 2^53');
  });
  test('overlapping', () => {
    const [a, b] = [tensor('a', 'F32', 64), tensor('b', 'F32', 64)];
    expectRefused(file(a, { ...b, offset: 32 }), 'tensor "a"', 'of its own, found tensor "b" at');
    expectRefused(file({ ...a, offset: 0 }, { ...b, offset: 0 }), 'of its own, found tensor');
    expectRefused(file({ ...a, offset: 224 }, { ...b, offset: 0 }), 'tensor "b"', 'found tensor "a"');
  });
});

describe('hostile names', () => {
  const names: readonly (readonly [name: string, escaped: string])[] = [
    ['x"); system("id");//', '"x\\"); system(\\"id\\");//"'],
    ['*/', '"*/"'],
    ['__proto__', '"__proto__"'],
    ['constructor', '"constructor"'],
    ['../../x', '"../../x"'],
    ['back\\', '"back\\\\"'],
    ['a\nb', '"a\\nb"'],
    ['\u001b[2J\u009b', '"\\u001b[2J\\u009b"'],
    ['\u202egnp', '"\\u202egnp"'],
  ];
  test.each(names)('%j as a key, a value and a tensor name is only a name', (name) => {
    const properties = Object.getOwnPropertyNames(Object.prototype);
    const path = writeModel({ metadata: [[name, str(name)]], tensors: [tensor(name, 'F32', 4)] });
    const { metadata, tensors } = readGguf(path);
    expect(metadata.getString(name)).toBe(name);
    expect(tensors.map((tensor) => tensor.name)).toEqual([name]);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(properties);
  });
  test.each(names)('%j is escaped in errors', (name, escaped) => {
    const twice = writeModel({ metadata: [], tensors: [tensor(name, 'F32', 4), tensor(name, 'F32', 4)] });
    expectRefused(twice, `tensor ${escaped} at byte`, 'a second time');
    expectRefused(metadataFile([name, u32(1)], [name, u32(1)]), `metadata key ${escaped} at byte`, 'a second time');
  });
});
