/** Mutated files: whatever happens to the bytes, reading ends soon, in an expected error or in the truth. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inspectModel } from '../../compiler/model/inspect.js';
import { renderInspection } from '../../compiler/model/inspect_text.js';
import { modelSpec } from '../../compiler/model/load.js';
import type { ModelSpec, Weight } from '../../compiler/model/spec.js';
import { CompileError } from '../../runtime/common/errors.js';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { type GgufFile, readGguf } from '../../runtime/files/gguf.js';
import { type GgufInput, type MetadataValue, type TensorInput, writeGguf } from '../support/gguf_writer.js';
import { processorMs } from '../support/time.js';
import { temporaryFile, tensor, tinyModel } from '../support/tiny_models.js';

const llama = tinyModel('llama');
const SOUND = [
  writeGguf({
    ...llama,
    tensors: [...llama.tensors, tensor('rope_freqs.weight', 'F32', 16), tensor('output.weight', 'Q4_0', 64, 40)],
  }),
  writeGguf(tinyModel('qwen2')),
  writeGguf(tinyModel('qwen3')),
].map((bytes) => ({ bytes, headerBytes: readGguf(temporaryFile(bytes)).headerBytes }));

/** Positions and lengths are in 0..1, of the header or of the file. */
type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'field'; readonly at: number; readonly size: 4 | 8; readonly value: bigint }
  | { readonly kind: 'truncate'; readonly at: number }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'copy'; readonly at: number; readonly length: number; readonly to: number };

const fraction = (most: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 10000 }).map((n) => (n * most) / 10000);
/** A fifth of them close to the start, where the counts are. */
const place = fc.oneof({ weight: 1, arbitrary: fraction(0.02) }, { weight: 4, arbitrary: fraction(1) });
const interesting = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 3n, 8n, 9n, 31n, 32n, 33n, 10n ** 9n),
  fc.constantFrom(2n ** 31n, 2n ** 32n - 1n, 2n ** 48n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 1000n }),
);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(6) }) },
  fc.record({
    kind: fc.constant('field' as const),
    at: place,
    size: fc.constantFrom(4 as const, 8 as const),
    value: interesting,
  }),
  fc.record({ kind: fc.constant('truncate' as const), at: place }),
  fc.record({ kind: fc.constant('remove' as const), at: place, length: fc.nat(64) }),
  fc.record({ kind: fc.constant('copy' as const), at: place, length: fc.nat(256), to: place }),
);

function mutate(bytes: Buffer, headerBytes: number, change: Mutation): Buffer {
  const offset = (place: number): number => Math.min(Math.floor(place * headerBytes), Math.max(bytes.length - 1, 0));
  const at = offset(change.at);
  const before = bytes.subarray(0, at);
  switch (change.kind) {
    case 'flip': {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[at]! ^= 1 << change.bit;
      return copy;
    }
    case 'field': {
      const field = Buffer.alloc(8);
      field.writeBigUInt64LE(change.value);
      return Buffer.concat([before, field.subarray(0, change.size), bytes.subarray(at + change.size)]);
    }
    case 'truncate':
      return Buffer.from(bytes.subarray(0, Math.floor(change.at * bytes.length)));
    case 'remove':
      return Buffer.concat([before, bytes.subarray(at + change.length)]);
    case 'copy': {
      const piece = bytes.subarray(at, at + change.length);
      const to = offset(change.to);
      return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
    }
  }
}

/** What `read` returns, or undefined for an expected error; anything else thrown is a crash. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CompileError) return undefined;
    throw error;
  }
}

/** Tensors lie in the file after the header, aligned and apart, with the bytes of their type and shape. */
function checkTensors(file: GgufFile): void {
  let end = file.headerBytes;
  for (const tensor of [...file.tensors].sort((a, b) => a.offset - b.offset)) {
    expect(tensor.offset).toBeGreaterThanOrEqual(end);
    expect((tensor.offset - file.headerBytes) % file.alignment).toBe(0);
    end = tensor.offset + tensor.bytes;
  }
  expect(end).toBeLessThanOrEqual(file.bytes);
}

/** The writer, which knows nothing of the reader, makes the same header of what was read. */
function checkHeader(file: GgufFile, bytes: Buffer): void {
  const header = bytes.subarray(0, file.headerBytes);
  expect(file.headerSha256).toBe(createHash('sha256').update(header).digest('hex'));
  const metadata = Array.from(file.metadata, ([key, entry]): [string, MetadataValue] => {
    if (entry.type === 'array') return [key, { type: 'array', of: entry.of, value: [...entry.elements()] as Buffer[] }];
    return [key, entry as MetadataValue];
  });
  // A signalling NaN does not survive a JavaScript number.
  if (metadata.some(([, { value }]) => Number.isNaN(value))) return;
  const tensors = file.tensors.map(({ name, type, dims, offset }) => ({
    name,
    type: (GGML_TYPES as Record<string, { id: number }>)[type]?.id ?? -1,
    dims,
    data: Buffer.alloc(0),
    offset: offset - file.headerBytes,
  }));
  if (tensors.some(({ type }) => type < 0)) return;
  const written = writeGguf({ version: file.version, metadata, tensors, alignment: 1 });
  expect(header.subarray(0, written.length).equals(written)).toBe(true);
  expect(header.length - written.length).toBeLessThan(file.alignment);
}

/** What every spec promises to the passes after it. */
function checkSpec(spec: ModelSpec, file: GgufFile): void {
  const { headCount, headCountKv, headSize, embeddingLength: embedding, feedForwardLength: inner } = spec;
  for (const size of [
    spec.vocabSize,
    spec.contextLength,
    embedding,
    inner,
    headCount,
    headCountKv,
    spec.layers.length,
  ]) {
    expect(Number.isSafeInteger(size) && size > 0).toBe(true);
  }
  expect(headCount % headCountKv).toBe(0);
  expect(headSize % 2 === 0 && headSize >= 32 && headSize <= 256).toBe(true);
  const rope = spec.layers[0]!.rope!;
  expect(rope.dimensions % 2 === 0 && rope.dimensions >= 2 && rope.dimensions <= headSize).toBe(true);
  expect(spec.normEpsilon > 0 && spec.normEpsilon < Infinity && rope.base > 0 && rope.base < Infinity).toBe(true);
  expect(spec.name).toBe('model');

  const named = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const check = (weight: Weight | undefined, rows: number, cols: number): void => {
    if (weight === undefined) return;
    expect(weight).toMatchObject({ rows, cols });
    const { blockSize, blockBytes } = GGML_TYPES[weight.type];
    expect(cols % blockSize).toBe(0);
    expect(weight.bytes).toBe((rows * cols * blockBytes) / blockSize);
    expect(named.get(weight.name)).toMatchObject({ offset: weight.offset, bytes: weight.bytes, type: weight.type });
  };
  const query = headCount * headSize;
  const keyValue = headCountKv * headSize;
  check(spec.tokenEmbedding, spec.vocabSize, embedding);
  check(spec.output, spec.vocabSize, embedding);
  check(spec.outputNorm, 1, embedding);
  check(rope.factors, 1, rope.dimensions / 2);
  for (const layer of spec.layers) {
    check(layer.attnQ, query, embedding);
    check(layer.attnK, keyValue, embedding);
    check(layer.attnV, keyValue, embedding);
    check(layer.attnOutput, embedding, query);
    check(layer.ffnGate, inner, embedding);
    check(layer.ffnUp, inner, embedding);
    check(layer.ffnDown, embedding, inner);
    check(layer.attnQBias, 1, query);
    check(layer.attnKNorm, 1, headSize);
  }
}

interface Outcome {
  readonly file: GgufFile | undefined;
  readonly spec: ModelSpec | undefined;
}

/** Reads the file to the end of the front end, with bounded work, and checks whatever is accepted. */
function check(bytes: Buffer): Outcome {
  const path = temporaryFile(bytes);
  let file: GgufFile | undefined;
  let spec: ModelSpec | undefined;
  const ms = processorMs(() => {
    file = attempt(() => readGguf(path));
    spec = file && attempt(() => modelSpec(file!));
  });
  expect(ms).toBeLessThan(2000);
  if (file) {
    checkTensors(file);
    checkHeader(file, bytes);
    renderInspection(inspectModel(file));
  }
  if (file && spec) checkSpec(spec, file);
  return { file, spec };
}

const value: fc.Arbitrary<MetadataValue> = fc.oneof(
  fc
    .constantFrom(0, 1, 2, 3, 4, 31, 32, 64, 512, 1e9, 2 ** 31, 2 ** 32 - 1)
    .map((value) => ({ type: 'uint32' as const, value })),
  interesting.map((value) => ({ type: 'uint64' as const, value })),
  fc.float().map((value) => ({ type: 'float32' as const, value })),
  fc.string({ unit: 'binary' }).map((value) => ({ type: 'string' as const, value })),
  fc.boolean().map((value) => ({ type: 'bool' as const, value })),
  fc.array(fc.nat(3), { maxLength: 4 }).map((value) => ({ type: 'array' as const, of: 'uint32' as const, value })),
);

const dimension = fc.oneof(fc.constantFrom(1n, 2n, 32n, 40n, 64n, 96n, 128n), interesting);
const tensorChange: fc.Arbitrary<Partial<TensorInput>> = fc.oneof(
  fc.record({ name: fc.string({ unit: 'binary', maxLength: 70 }) }),
  fc.record({ type: fc.oneof(fc.constantFrom(...(Object.keys(GGML_TYPES) as GgmlType[])), fc.nat(50)) }),
  fc.record({ dims: fc.array(dimension, { maxLength: 5 }) }),
  fc.record({
    offset: fc.oneof(
      fc.nat(3000).map((n) => 32 * n),
      interesting,
    ),
  }),
);

/** Edits of what is written, so that the file stays well formed and the deeper checks are reached. */
type Edit = (input: GgufInput) => GgufInput;
const index = fc.nat(10000);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(index, value).map(
    ([at, value]): Edit =>
      (input) => {
        const metadata = input.metadata.map((entry, i) =>
          i === at % input.metadata.length ? ([entry[0], value] as const) : entry,
        );
        return { ...input, metadata };
      },
  ),
  fc.tuple(index, tensorChange).map(
    ([at, change]): Edit =>
      (input) => {
        const tensors = input.tensors.map((tensor, i) =>
          i === at % input.tensors.length ? { ...tensor, ...change } : tensor,
        );
        return { ...input, tensors };
      },
  ),
  index.map(
    (at): Edit =>
      (input) => {
        return { ...input, tensors: input.tensors.filter((_, i) => i !== at % input.tensors.length) };
      },
  ),
  index.map(
    (at): Edit =>
      (input) => {
        return { ...input, metadata: input.metadata.filter((_, i) => i !== at % input.metadata.length) };
      },
  ),
);

test('files with mutated bytes are refused or read as what they are', () => {
  let read = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...SOUND),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      ({ bytes, headerBytes }, mutations) => {
        const { file } = check(mutations.reduce((bytes, change) => mutate(bytes, headerBytes, change), bytes));
        if (file) read++;
      },
    ),
    { numRuns: 1000 },
  );
  // Mutations so coarse that nothing is accepted would test only the refusals.
  expect(read).toBeGreaterThan(50);
});

test('files with edited metadata and tensors are refused or read as what they are', () => {
  let loaded = 0;
  const model = fc.constantFrom('llama' as const, 'qwen2' as const, 'qwen3' as const);
  fc.assert(
    fc.property(model, fc.array(edit, { minLength: 1, maxLength: 2 }), (architecture, edits) => {
      const { spec } = check(writeGguf(edits.reduce((input, change) => change(input), tinyModel(architecture))));
      if (spec) loaded++;
    }),
    { numRuns: 1000 },
  );
  expect(loaded).toBeGreaterThan(20);
});

test('unchanged files pass the same checks', () => {
  for (const { bytes } of SOUND) expect(check(bytes).spec).toBeDefined();
});
