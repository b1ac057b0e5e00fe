/** A GGUF file of the architecture llama as the folder that transformers would have saved: for tests of text. */
import { readFileSync } from 'node:fs';
import type { GgmlType } from '../../runtime/files/ggml.js';
import { type GgufFile, readGguf } from '../../runtime/files/gguf.js';
import { dequantize } from '../oracle/dequantize.js';
import { safetensorsFile, writeFolder } from './safetensors_writer.js';

const LAYER: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const MODEL: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
};

/** Over two shards; the vocabulary is byte-level, split as GPT-2's or by `regex`. */
export function folderOf(gguf: string, folder: string, regex: string): string {
  const file = readGguf(gguf);
  const data = readFileSync(gguf);
  const tensors = file.tensors.map(({ name, type, dims, offset, bytes }) => {
    const values = dequantize(type as GgmlType, data.subarray(offset, offset + bytes));
    const part = /attn_(q|k)\.weight$/.exec(name)?.[1];
    const heads = uint(file, `attention.head_count${part === 'k' ? '_kv' : ''}`);
    return {
      name: transformersName(name),
      shape: [...dims].reverse(),
      values: part ? inOrder(values, heads, dims[0]!) : values,
    };
  });
  const shards = [tensors.slice(0, 9), tensors.slice(9)].map(
    (list, i) => [`model-0000${i + 1}-of-00002.safetensors`, list] as const,
  );
  return writeFolder(folder, {
    'config.json': config(file),
    'generation_config.json': { eos_token_id: file.metadata.getUint('tokenizer.ggml.eos_token_id') },
    'model.safetensors.index.json': {
      metadata: { total_size: 0 },
      weight_map: Object.fromEntries(shards.flatMap(([shard, list]) => list.map(({ name }) => [name, shard]))),
    },
    ...Object.fromEntries(shards.map(([shard, list]) => [shard, f32File(list)])),
    ...tokenizer(file, regex),
  });
}

const uint = ({ metadata }: GgufFile, key: string) => metadata.requireUint(`llama.${key}`);

function transformersName(name: string): string {
  const [, layer, stem = '', kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(\w+)$/.exec(name)!;
  return layer === undefined ? `${MODEL[stem]}.${kind}` : `model.layers.${layer}.${LAYER[stem]}.${kind}`;
}

/** Rows of a head 0, n/2, 1, n/2 + 1, ... become 0, 1, ..., n-1. */
function inOrder(values: Float64Array, heads: number, cols: number): Float64Array {
  const size = values.length / cols / heads;
  const ordered = new Float64Array(values.length);
  for (let row = 0; row < heads * size; row++) {
    const i = row % size;
    const to = row - i + (i % 2) * (size / 2) + Math.floor(i / 2);
    ordered.set(values.subarray(row * cols, (row + 1) * cols), to * cols);
  }
  return ordered;
}

function f32File(list: readonly { name: string; shape: number[]; values: Float64Array }[]): Buffer {
  let end = 0;
  const header = Object.fromEntries(
    list.map(({ name, shape, values }) => {
      const start = end;
      end += 4 * values.length;
      return [name, { dtype: 'F32', shape, data_offsets: [start, end] }];
    }),
  );
  return safetensorsFile(
    header,
    Buffer.concat(list.map(({ values }) => Buffer.from(Float32Array.from(values).buffer))),
  );
}

function config(file: GgufFile) {
  const { metadata, tensors } = file;
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_act: 'silu',
    hidden_size: uint(file, 'embedding_length'),
    intermediate_size: uint(file, 'feed_forward_length'),
    num_hidden_layers: uint(file, 'block_count'),
    num_attention_heads: uint(file, 'attention.head_count'),
    num_key_value_heads: uint(file, 'attention.head_count_kv'),
    max_position_embeddings: uint(file, 'context_length'),
    rms_norm_eps: metadata.getFloat('llama.attention.layer_norm_rms_epsilon'),
    rope_theta: metadata.getFloat('llama.rope.freq_base') ?? 10000,
    tie_word_embeddings: !tensors.some(({ name }) => name === 'output.weight'),
    vocab_size: metadata.stringArray('tokenizer.ggml.tokens')!.length,
  };
}

function tokenizer({ metadata }: GgufFile, regex: string) {
  const tokens = metadata.stringArray('tokenizer.ggml.tokens')!;
  const types = metadata.numberArray('tokenizer.ggml.token_type')!;
  const special = tokens.flatMap((content, id) => (types[id] === 3 ? [{ id, content, special: true }] : []));
  const text = (role: string) => tokens[metadata.requireUint(`tokenizer.ggml.${role}_token_id`)];
  return {
    'tokenizer.json': {
      added_tokens: special,
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
        ],
      },
      decoder: { type: 'ByteLevel' },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(tokens.flatMap((token, id) => (types[id] === 3 ? [] : [[token, id]]))),
        merges: metadata.stringArray('tokenizer.ggml.merges'),
      },
    },
    'tokenizer_config.json': { bos_token: text('bos'), eos_token: text('eos') },
    'chat_template.jinja': metadata.getString('tokenizer.chat_template')!,
  };
}
