/** Models split over several files are one model. */
import { copyFileSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits } from '../oracle/reference.js';
import { type ModelOptions, makeModel, modelInput } from '../support/models.js';
import { splitModel } from '../support/split.js';

const MODEL: ModelOptions = {
  embeddingLength: 64,
  layers: 2,
  headCount: 2,
  feedForwardLength: 96,
  vocabSize: 40,
  type: 'Q8_0',
};

test.each([2, 3, 7])('%i parts: the same tensors, bytes and logits as the whole', (count) => {
  const paths = splitModel(modelInput(MODEL), count);
  const whole = readGguf(makeModel(MODEL));
  const file = readGguf(paths[0]!);
  expect(file.parts).toHaveLength(count);
  expect(file.tensors.map(({ name }) => name)).toEqual(whole.tensors.map(({ name }) => name));
  const joined = Buffer.concat(paths.map((path) => readFileSync(path)));
  const data = readFileSync(whole.path);
  expect(file.bytes).toBe(joined.length);
  for (const [i, { offset, bytes }] of file.tensors.entries()) {
    const { offset: at } = whole.tensors[i]!;
    expect(joined.subarray(offset, offset + bytes).equals(data.subarray(at, at + bytes))).toBe(true);
  }
  expect(modelSpec(file).name).toBe('model');
  expect(referenceLogits(modelSpec(file), [1, 2, 3])).toEqual(referenceLogits(modelSpec(whole), [1, 2, 3]));
});

test('the hash covers the headers of all parts', () => {
  const [plain] = splitModel(modelInput(MODEL), 2);
  const [other] = splitModel(modelInput(MODEL), 2, (part, i) =>
    i === 1 ? { ...part, metadata: [...part.metadata, ['note', { type: 'string', value: 'x' }]] } : part,
  );
  expect(readGguf(plain!).headerSha256).not.toBe(readGguf(other!).headerSha256);
});

test('another part than the first, or another name, is refused', () => {
  const paths = splitModel(modelInput(MODEL), 3);
  expect(() => readGguf(paths[1]!)).toThrow(/-00001-of-00003\.gguf, found "model-00002-of-00003\.gguf"/);
  const renamed = join(dirname(paths[0]!), 'renamed.gguf');
  renameSync(paths[0]!, renamed);
  expect(() => readGguf(renamed)).toThrow("the first of the model's 3 parts");
});

test('a part that is missing, in the wrong place or of another split is refused by its path', () => {
  const [first, second, third] = splitModel(modelInput(MODEL), 3) as [string, string, string];
  rmSync(third);
  expect(() => readGguf(first)).toThrow(`${third}: file: expected a readable file`);
  copyFileSync(second, third);
  expect(() => readGguf(first)).toThrow(`${third}: metadata key "split.no": expected 2, found 1`);
  const [other] = splitModel(modelInput(MODEL), 2, (part, i) =>
    i === 1
      ? {
          ...part,
          metadata: part.metadata.map(([key, value]) => [
            key,
            key === 'split.count' ? ({ ...value, value: 3 } as typeof value) : value,
          ]),
        }
      : part,
  );
  expect(() => readGguf(other!)).toThrow('metadata key "split.count": expected 2, found 3');
});

test('tensors that stand twice or are missing are refused', () => {
  const input = modelInput(MODEL);
  const [twice] = splitModel(input, 2, (part, i) =>
    i === 1 ? { ...part, tensors: [...part.tensors, input.tensors[0]!] } : part,
  );
  expect(() => readGguf(twice!)).toThrow(
    'tensor "token_embd.weight": expected every tensor once, found it in two parts',
  );
  const [less] = splitModel(input, 2, (part, i) => (i === 1 ? { ...part, tensors: part.tensors.slice(1) } : part));
  expect(() => readGguf(less!)).toThrow('metadata key "split.tensors.count"');
});
