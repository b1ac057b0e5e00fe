/** The rules of the safetensors format: each broken one is an error that says so; nothing crashes, nothing else is let in. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CompileError, ModelFileError } from '../../runtime/common/errors.js';
import { readSafetensors } from '../../runtime/files/safetensors/header.js';
import { F32_PAIR, safetensorsFile } from '../support/safetensors_writer.js';
import { temporaryFile } from '../support/tiny_models.js';

const EIGHT = Buffer.alloc(8);
const read = (bytes: Uint8Array) => readSafetensors(temporaryFile(bytes, 'model.safetensors'));

test('a sound file: tensors by their place, scalars and empty ones too', () => {
  const file = read(
    safetensorsFile(
      {
        __metadata__: { format: 'pt' },
        b: { dtype: 'F16', shape: [], data_offsets: [8, 10] },
        empty: { dtype: 'I64', shape: [0, 4], data_offsets: [8, 8] },
        a: F32_PAIR,
      },
      Buffer.alloc(10),
    ),
  );
  expect(file.tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, shape, bytes])).toEqual([
    ['a', 'F32', [1, 2], 8],
    ['empty', 'I64', [0, 4], 0],
    ['b', 'F16', [], 2],
  ]);
  expect(file.tensors.map(({ offset }) => offset - file.header.length)).toEqual([0, 8, 8]);
});

test('spaces after the header are padding', () => {
  expect(read(safetensorsFile(`${JSON.stringify({ a: F32_PAIR })}    `, EIGHT)).tensors).toHaveLength(1);
});

describe('refused', () => {
  test.each<[string, Uint8Array, string]>([
    ['an empty file', Buffer.alloc(0), 'expected a safetensors file, 8 bytes or more, found 0 bytes'],
    [
      'a header over the limit',
      safetensorsFile('{}', EIGHT, 100_000_001n),
      'expected a header of at most 100000000 bytes',
    ],
    ['a length beyond 2^53', safetensorsFile('{}', EIGHT, 2n ** 63n), 'expected a length of the header below 2^53'],
    ['a header past the end', safetensorsFile('{}', EIGHT, 5000n), 'found the end of the file'],
    ['an empty header', safetensorsFile('', EIGHT), 'begins with "{", found an empty one'],
    ['a list', safetensorsFile('[1]', EIGHT), 'begins with "{", found "[1]"'],
    ['space before it', safetensorsFile(` ${JSON.stringify({ a: F32_PAIR })}`, EIGHT), 'begins with "{"'],
    ['no JSON', safetensorsFile('{"a": }', EIGHT), 'expected JSON'],
    ['no UTF-8', safetensorsFile('{"a', Buffer.of(0xff), 4n), 'expected UTF-8'],
    [
      'a tensor twice',
      safetensorsFile(`{"a":${JSON.stringify(F32_PAIR)},"\\u0061":${JSON.stringify(F32_PAIR)}}`, EIGHT),
      'found "a" a second time',
    ],
    [
      'a field twice',
      safetensorsFile('{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT),
      'found "dtype" a second time',
    ],
    [
      'metadata of numbers',
      safetensorsFile({ __metadata__: { a: 1 }, a: F32_PAIR }, EIGHT),
      '"__metadata__" to be an object of strings',
    ],
    [
      'an entry that is a list',
      safetensorsFile({ a: [1] }, EIGHT),
      'tensor "a": expected an object, found a list of 1',
    ],
    ['another field', safetensorsFile({ a: { ...F32_PAIR, extra: 1 } }, EIGHT), 'found "extra"'],
    ['an unknown dtype', safetensorsFile({ a: { ...F32_PAIR, dtype: 'F33' } }, EIGHT), 'found "F33"'],
    ['a dtype of Object', safetensorsFile({ a: { ...F32_PAIR, dtype: 'constructor' } }, EIGHT), 'found "constructor"'],
    ['a negative dimension', safetensorsFile({ a: { ...F32_PAIR, shape: [-2] } }, EIGHT), 'whole numbers of 0 or more'],
    ['a fraction', safetensorsFile({ a: { ...F32_PAIR, shape: [1.5] } }, EIGHT), 'whole numbers of 0 or more'],
    [
      'dimensions that overflow',
      safetensorsFile({ a: { ...F32_PAIR, shape: [2 ** 40, 2 ** 40] } }, EIGHT),
      'multiply to at most',
    ],
    ['offsets of three', safetensorsFile({ a: { ...F32_PAIR, data_offsets: [0, 4, 8] } }, EIGHT), 'two whole numbers'],
    [
      'offsets out of order',
      safetensorsFile({ a: { ...F32_PAIR, data_offsets: [8, 0] } }, EIGHT),
      'data_offsets in order',
    ],
    [
      "a length that is not the shape's",
      safetensorsFile({ a: { ...F32_PAIR, shape: [3] } }, EIGHT),
      'expected 12 bytes for F32 [3], found data_offsets of 8',
    ],
    [
      'half a byte',
      safetensorsFile({ a: { dtype: 'F4', shape: [3], data_offsets: [0, 2] } }, Buffer.alloc(2)),
      'expected whole bytes, found 3 elements of 4 bits',
    ],
    ['a tensor past the end', safetensorsFile({ a: F32_PAIR }, Buffer.alloc(7)), 'found the end of the file'],
    ['bytes after the last', safetensorsFile({ a: F32_PAIR }, Buffer.alloc(9)), 'with its last tensor'],
    [
      'a hole',
      safetensorsFile({ a: F32_PAIR, b: { ...F32_PAIR, data_offsets: [12, 20] } }, Buffer.alloc(20)),
      'found a hole',
    ],
    [
      'a hole at the start',
      safetensorsFile({ a: { ...F32_PAIR, data_offsets: [4, 12] } }, Buffer.alloc(12)),
      'found a hole',
    ],
    [
      'an overlap',
      safetensorsFile({ a: F32_PAIR, b: { ...F32_PAIR, data_offsets: [4, 12] } }, Buffer.alloc(12)),
      'bytes of its own',
    ],
    [
      'a start between elements',
      safetensorsFile(
        { a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }, b: { ...F32_PAIR, data_offsets: [1, 9] } },
        Buffer.alloc(9),
      ),
      'a start that is a multiple of 4',
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(ModelFileError);
    expect(() => read(bytes)).toThrow(message);
  });

  test('what is no file', () => {
    expect(() => readSafetensors('/dev/null')).toThrow('expected a regular file');
    expect(() => readSafetensors('/nowhere/model.safetensors')).toThrow('expected a readable file, found none');
  });
});

/** Sizes of the format's dtypes of whole bytes, written down once more. */
const BYTES: Record<string, number> = {
  U8: 1,
  I8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F16: 2,
  BF16: 2,
  I32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
};
const dtype = fc.constantFrom(...Object.keys(BYTES));
/** Of falling element sizes, as the format's writer sorts them, so that all are aligned. */
const tensors = fc
  .uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__'),
      dtype,
      shape: fc.array(fc.nat(5), { maxLength: 4 }),
    }),
    { selector: ({ name }) => name, maxLength: 6 },
  )
  .map((list) => list.sort((a, b) => BYTES[b.dtype]! - BYTES[a.dtype]!));

function layOut(list: readonly { name: string; dtype: string; shape: number[] }[]) {
  let end = 0;
  const entries = list.map(({ name, dtype, shape }): [string, object] => {
    const start = end;
    end += shape.reduce((a, b) => a * b, 1) * BYTES[dtype]!;
    return [name, { dtype, shape, data_offsets: [start, end] }];
  });
  return { entries, end };
}

describe('any file', () => {
  test('that is sound is read as it was written', () => {
    fc.assert(
      fc.property(tensors, (list) => {
        const { entries, end } = layOut(list);
        const header = JSON.stringify(Object.fromEntries(entries));
        const file = read(safetensorsFile(header, Buffer.alloc(end)));
        expect(file.header.length).toBe(8 + Buffer.byteLength(header));
        const found = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
        expect(found.size).toBe(list.length);
        for (const { name, dtype, shape } of list) expect(found.get(name)).toMatchObject({ dtype, shape });
      }),
    );
  });

  test('with one tensor moved, cut or longer is refused', () => {
    const change = fc.record({
      at: fc.nat(),
      by: fc.integer({ min: -9, max: 9 }).filter((by) => by !== 0),
      side: fc.nat(1),
    });
    fc.assert(
      fc.property(
        tensors.filter((list) => list.some(({ shape }) => !shape.includes(0))),
        change,
        (list, { at, by, side }) => {
          const { entries, end } = layOut(list);
          const [, entry] = entries[at % entries.length]! as [string, { data_offsets: number[] }];
          entry.data_offsets[side]! += by;
          expect(() => read(safetensorsFile(Object.fromEntries(entries), Buffer.alloc(end)))).toThrow(ModelFileError);
        },
      ),
    );
  });

  test('of random bytes, or with a byte changed or cut, is read or refused, and what is read lies in the file', () => {
    const sound = safetensorsFile(
      { a: F32_PAIR, b: { dtype: 'BF16', shape: [3], data_offsets: [8, 14] } },
      Buffer.alloc(14),
    );
    const mutated = fc.tuple(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length)).map(([at, byte, end]) => {
      const bytes = Buffer.from(sound);
      bytes[at] = byte;
      return bytes.subarray(0, end < 8 ? sound.length : end);
    });
    const json = fc.json().map((text) => safetensorsFile(text, EIGHT));
    fc.assert(
      fc.property(fc.oneof(mutated, json, fc.uint8Array({ maxLength: 64 })), (bytes) => {
        try {
          const file = read(bytes);
          let end = file.header.length;
          for (const { offset, bytes } of file.tensors) {
            expect(offset).toBe(end);
            end += bytes;
          }
          expect(end).toBe(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CompileError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
