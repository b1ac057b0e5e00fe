/** The smallest sound models, as input of writeGguf for tests to damage. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { type GgufInput, type MetadataValue, type TensorInput, writeGguf } from './gguf_writer.js';
import { type ModelOptions, modelInput } from './models.js';

export const TINY = { embedding: 64, feedForward: 96, heads: 2, kvHeads: 1, headSize: 32, vocab: 40, layers: 2 };

/** A tensor of zeros. */
export function tensor(name: string | Buffer, type: GgmlType, ...dims: number[]): TensorInput {
  const { blockSize, blockBytes } = GGML_TYPES[type];
  const elements = dims.reduce((product, dim) => product * dim, 1);
  return { name, type, dims, data: Buffer.alloc((elements / blockSize) * blockBytes) };
}

export function tinyModel(architecture: ModelOptions['architecture'] = 'llama'): GgufInput {
  const { embedding, feedForward, heads, kvHeads, headSize, vocab, layers } = TINY;
  const model = modelInput({
    architecture,
    embeddingLength: embedding,
    feedForwardLength: feedForward,
    headCount: heads,
    headCountKv: kvHeads,
    headSize,
    vocabSize: vocab,
    layers,
    tied: true,
    type: 'Q8_0',
  });
  const tokens = Array.from({ length: vocab }, (_, i) => `t${i}`);
  return withKeys(model, {
    'tokenizer.ggml.model': undefined,
    'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: tokens },
    'tokenizer.ggml.token_type': { type: 'array', of: 'int32', value: tokens.map(() => 1) },
  });
}

/** The model with these metadata keys set, appended or, where the value is undefined, removed. */
export function withKeys(input: GgufInput, changes: Readonly<Record<string, MetadataValue | undefined>>): GgufInput {
  const changed = new Map<string | Buffer, MetadataValue | undefined>([...input.metadata, ...Object.entries(changes)]);
  const metadata = [...changed].flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  return { ...input, metadata };
}

/** The model without this tensor, or with others in its place. */
export function replaceTensor(input: GgufInput, name: string, ...others: TensorInput[]): GgufInput {
  if (!input.tensors.some((tensor) => tensor.name === name)) throw new Error(`no tensor ${name} to replace`);
  return { ...input, tensors: input.tensors.flatMap((tensor) => (tensor.name === name ? others : [tensor])) };
}

/** Of one test file; it goes when that file's tests are done. */
export const temporaryFolder = mkdtempSync(join(tmpdir(), 'realizar-test-'));
afterAll(() => rmSync(temporaryFolder, { recursive: true, force: true }));

/** The last one written, unless it has a name of its own. */
export function temporaryFile(bytes: Uint8Array, name = 'model.gguf'): string {
  const path = join(temporaryFolder, name);
  writeFileSync(path, bytes);
  return path;
}

export function writeModel(input: GgufInput, name?: string): string {
  return temporaryFile(writeGguf(input), name);
}
