/** Planning reads metadata only: an 8B model of which there is nothing but the header. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { ROOT, runProgram } from '../support/artifacts.js';
import { f32, type MetadataValue, str, type TensorInput, u32, writeGguf } from '../support/gguf_writer.js';
import { temporaryFolder } from '../support/tiny_models.js';

/** Llama 3.1 8B. */
const SHAPE = { embedding: 4096, feedForward: 14336, layers: 32, heads: 32, kvHeads: 8, headSize: 128, vocab: 128256 };
const MERGES = 280147;

function metadata(): (readonly [string, MetadataValue])[] {
  const { embedding, feedForward, layers, heads, kvHeads, headSize, vocab } = SHAPE;
  const strings = (count: number, text: (i: number) => string): MetadataValue => ({
    type: 'array',
    of: 'string',
    value: Array.from({ length: count }, (_, i) => text(i)),
  });
  return [
    ['general.architecture', str('llama')],
    ['llama.context_length', u32(131072)],
    ['llama.embedding_length', u32(embedding)],
    ['llama.block_count', u32(layers)],
    ['llama.feed_forward_length', u32(feedForward)],
    ['llama.attention.head_count', u32(heads)],
    ['llama.attention.head_count_kv', u32(kvHeads)],
    ['llama.attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['llama.rope.dimension_count', u32(headSize)],
    ['llama.rope.freq_base', f32(500000)],
    ['llama.vocab_size', u32(vocab)],
    ['tokenizer.ggml.model', str('gpt2')],
    ['tokenizer.ggml.tokens', strings(vocab, (i) => `token${i}`)],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: Array.from({ length: vocab }, () => 1) }],
    ['tokenizer.ggml.merges', strings(MERGES, (i) => `left${i} right${i}`)],
  ];
}

/** Tensors without their data, and how many bytes that would have. */
function tensors(): { list: TensorInput[]; bytes: number } {
  const list: TensorInput[] = [];
  let bytes = 0;
  const add = (name: string, type: GgmlType, ...dims: number[]) => {
    list.push({ name, type, dims, data: new Uint8Array(), offset: bytes });
    const { blockSize, blockBytes } = GGML_TYPES[type];
    bytes += (dims.reduce((a, b) => a * b) / blockSize) * blockBytes;
  };
  const { embedding, feedForward, layers, heads, kvHeads, headSize, vocab } = SHAPE;
  add('token_embd.weight', 'Q4_K', embedding, vocab);
  add('output.weight', 'Q6_K', embedding, vocab);
  add('output_norm.weight', 'F32', embedding);
  for (let layer = 0; layer < layers; layer++) {
    const part = (name: string, type: GgmlType, ...dims: number[]) => add(`blk.${layer}.${name}.weight`, type, ...dims);
    part('attn_norm', 'F32', embedding);
    part('ffn_norm', 'F32', embedding);
    part('attn_q', 'Q4_K', embedding, heads * headSize);
    part('attn_k', 'Q4_K', embedding, kvHeads * headSize);
    part('attn_v', 'Q6_K', embedding, kvHeads * headSize);
    part('attn_output', 'Q4_K', heads * headSize, embedding);
    part('ffn_gate', 'Q4_K', embedding, feedForward);
    part('ffn_up', 'Q4_K', embedding, feedForward);
    part('ffn_down', 'Q6_K', feedForward, embedding);
  }
  return { list, bytes };
}

/** All tensors are multiples of 32 bytes, so the data has no gaps. */
function writeSparseModel(): string {
  const path = join(temporaryFolder, 'llama-8b.gguf');
  const { list, bytes } = tensors();
  const header = writeGguf({ metadata: metadata(), tensors: list });
  const file = openSync(path, 'w');
  writeSync(file, header);
  ftruncateSync(file, header.length + bytes);
  closeSync(file);
  return path;
}

test('an 8B model takes less than 300 MB of memory to plan', async () => {
  const command = new URL(`file://${join(ROOT, 'dist/compiler/command.js')}`);
  const program = `
    import { run } from ${JSON.stringify(command)};
    const code = await run(['node', 'realizar-compile', 'plan', ...process.argv.slice(1)]);
    process.stderr.write(JSON.stringify({ code, kib: process.resourceUsage().maxRSS, ms: performance.now() }));`;
  const evaluate = ['--input-type=module', '-e', program];
  const model = writeSparseModel();
  // 99 KiB of shared memory hold the 14336 inputs of ffn_down and not much more.
  for (const target of ['--arch=sm_90a', '--arch=sm_89,sm_120', '--target=host']) {
    const { stdout, stderr } = await runProgram(process.execPath, [...evaluate, '--', model, '--json', target]);
    const { code, kib, ms } = JSON.parse(stderr);
    console.error(`plan of an 8B model, ${target}: ${Math.round(ms)} ms, ${Math.round(kib / 1024)} MiB`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).programs[0].nodes).toHaveLength(5 * SHAPE.layers + 3);
    expect(kib * 1024).toBeLessThan(300e6);
  }
});
