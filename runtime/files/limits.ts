/**
 * How large the parts of a model may be: far more than any known model has, and little enough that a short file cannot
 * ask for much memory. Readers check them before they make anything of that size.
 */

const MiB = 1 << 20;

/** Bytes of what is read whole. */
export const MAX_BYTES = {
  ggufHeader: 256 * MiB,
  config: 16 * MiB,
  /** Of a safetensors file: the format's own limit. */
  safetensorsHeader: 100_000_000,
  safetensorsIndex: 100_000_000,
} as const;

/** Of a JSON file: how deep lists and objects nest, and how many values there are. */
export const MAX_JSON = { depth: 64, values: 1 << 23 } as const;

/** Of a GGUF file, and of the files of a folder together. */
export const MAX_TENSORS = 1 << 20;

/** By GGUF's key, without the architecture's prefix. */
const MAX_SIZES: ReadonlyMap<string, number> = new Map([
  ['block_count', 1 << 16],
  ['embedding_length', 1 << 20],
  ['feed_forward_length', 1 << 24],
  ['expert_feed_forward_length', 1 << 24],
  ['expert_shared_feed_forward_length', 1 << 24],
  ['attention.head_count', 1 << 16],
  ['attention.head_count_kv', 1 << 16],
  ['attention.key_length', 1 << 16],
  ['attention.value_length', 1 << 16],
  ['expert_count', 1 << 12],
  ['expert_used_count', 1 << 12],
  ['expert_shared_count', 1 << 12],
  ['vocab_size', 1 << 24],
]);

/** Kernels count positions, rows and columns in int32. */
const MAX_INT32 = 2 ** 31 - 1;

/** Of a hyperparameter, by GGUF's key without the architecture's prefix. */
export const maxSize = (key: string): number => MAX_SIZES.get(key) ?? MAX_INT32;
