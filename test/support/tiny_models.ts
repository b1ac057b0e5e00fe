/** The smallest sound models, as input of writeGguf for tests to damage. Weights are zero: nothing here reads them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { GGML_TYPES, type GgmlType } from '../../compiler/model/ggml.js';
import { type GgufInput, type MetadataValue, type TensorInput, writeGguf } from './gguf_writer.js';

export const TINY = { embedding: 64, feedForward: 96, heads: 2, kvHeads: 1, headSize: 32, vocab: 40, layers: 2 };

export const u32 = (value: number): MetadataValue => ({ type: 'uint32', value });
export const f32 = (value: number): MetadataValue => ({ type: 'float32', value });
export const str = (value: string | Buffer): MetadataValue => ({ type: 'string', value });

export function tensor(name: string | Buffer, type: GgmlType, ...dims: number[]): TensorInput {
  const { blockSize, blockBytes } = GGML_TYPES[type];
  const elements = dims.reduce((product, dim) => product * dim, 1);
  return { name, type, dims, data: Buffer.alloc((elements / blockSize) * blockBytes) };
}

export function tinyModel(architecture: 'llama' | 'qwen2' | 'qwen3' = 'llama'): GgufInput {
  const own: [string, MetadataValue][] = [
    ['context_length', u32(512)],
    ['embedding_length', u32(TINY.embedding)],
    ['block_count', u32(TINY.layers)],
    ['feed_forward_length', u32(TINY.feedForward)],
    ['attention.head_count', u32(TINY.heads)],
    ['attention.head_count_kv', u32(TINY.kvHeads)],
    ['attention.key_length', u32(TINY.headSize)],
    ['attention.value_length', u32(TINY.headSize)],
    ['attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['rope.dimension_count', u32(TINY.headSize)],
    ['rope.freq_base', f32(10000)],
    ['vocab_size', u32(TINY.vocab)],
  ];
  const tokens = Array.from({ length: TINY.vocab }, (_, i) => `t${i}`);
  return {
    metadata: [
      ['general.architecture', str(architecture)],
      ['general.name', str('tiny')],
      ...own.map(([key, value]) => [`${architecture}.${key}`, value] as const),
      ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: tokens }],
      ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: tokens.map(() => 1) }],
    ],
    tensors: [
      tensor('token_embd.weight', 'Q8_0', TINY.embedding, TINY.vocab),
      tensor('output_norm.weight', 'F32', TINY.embedding),
      ...Array.from({ length: TINY.layers }, (_, i) => layer(architecture, `blk.${i}.`)).flat(),
    ],
  };
}

function layer(architecture: string, prefix: string): TensorInput[] {
  const { embedding, feedForward, headSize } = TINY;
  const query = TINY.heads * headSize;
  const keyValue = TINY.kvHeads * headSize;
  const bias = ['q', 'k', 'v'].map((name) =>
    tensor(`${prefix}attn_${name}.bias`, 'F32', name === 'q' ? query : keyValue),
  );
  const norm = ['q', 'k'].map((name) => tensor(`${prefix}attn_${name}_norm.weight`, 'F32', headSize));
  return [
    tensor(`${prefix}attn_norm.weight`, 'F32', embedding),
    tensor(`${prefix}attn_q.weight`, 'Q8_0', embedding, query),
    tensor(`${prefix}attn_k.weight`, 'Q8_0', embedding, keyValue),
    tensor(`${prefix}attn_v.weight`, 'Q8_0', embedding, keyValue),
    tensor(`${prefix}attn_output.weight`, 'Q8_0', query, embedding),
    tensor(`${prefix}ffn_norm.weight`, 'F32', embedding),
    tensor(`${prefix}ffn_gate.weight`, 'Q8_0', embedding, feedForward),
    tensor(`${prefix}ffn_up.weight`, 'Q8_0', embedding, feedForward),
    tensor(`${prefix}ffn_down.weight`, 'Q8_0', feedForward, embedding),
    ...(architecture === 'qwen2' ? bias : []),
    ...(architecture === 'qwen3' ? norm : []),
  ];
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
