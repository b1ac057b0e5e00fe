/**
 * A safetensors folder as a GGUF file, as llama.cpp's converter lays it out: rows of q and k reordered where the
 * architecture pairs neighbours, 1 added to Gemma's norms, rope factors as tensors. Written for tests from what that
 * converter does, apart from the compiler's own reading of such folders.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { readModel } from '../../runtime/files/read.js';
import type { Piece, TensorInfo } from '../../runtime/files/tensor_table.js';
import { dequantize } from '../oracle/dequantize.js';
import { quantize } from '../oracle/quantize.js';
import { f32, type MetadataValue, str, type TensorInput, u32, writeGguf } from './gguf_writer.js';
import { temporaryFile } from './tiny_models.js';

/** Pairs of these are neighbours in GGUF. */
const REORDERED = ['llama', 'granite', 'granitemoe', 'smollm3', 'arcee'];

export function ggufOf(folder: string, name: string, type?: 'Q8_0' | 'Q4_0'): string {
  const model = readModel(folder);
  const data = Buffer.concat(model.parts.map((part) => readFileSync(join(folder, part.name!))));
  const architecture = model.metadata.requireString('general.architecture');
  const count = (key: string) => model.metadata.requireUint(`${architecture}.attention.${key}`);
  const heads: Record<string, number> = { q: count('head_count'), k: count('head_count_kv') };
  const tensors = model.tensors.map((tensor): TensorInput => {
    const bytes = inRows(tensor, ({ offset, bytes }) => data.subarray(offset, offset + bytes));
    const part = /attn_(q|k)\.(weight|bias)$/.exec(tensor.name)?.[1];
    const rows = part && REORDERED.includes(architecture) ? reorder(bytes, tensor.dims, heads[part]!) : bytes;
    return tensorOf(tensor.name, tensor.type as GgmlType, [...tensor.dims], rows, type, tensor.plusOne ? 1 : 0);
  });
  const { keys, factors } = statedAsGguf(model, architecture);
  return temporaryFile(writeGguf({ metadata: keys, tensors: [...tensors, ...factors] }), `${name}.gguf`);
}

/** Bytes as GGUF has them: row after row of each tensor by itself, and blocks of MXFP4 with their exponents. */
function inRows(tensor: TensorInfo, read: (piece: Piece) => Buffer): Buffer {
  const { dims, exponents, pieces = [tensor] } = tensor;
  if (exponents) return mxfp4Rows(tensor, read(pieces[0]!), read(exponents));
  const ofPieces = pieces.map(read);
  if (!tensor.transposed && !tensor.alternate) return Buffer.concat(ofPieces);
  const size = GGML_TYPES[tensor.type as GgmlType].blockBytes;
  const [cols, rows] = tensor.transposed ? [dims[0]!, dims[1]!] : [1, dims[0]! * dims[1]!];
  const [step, first] = [tensor.alternate ? 2 : 1, tensor.alternate === 'odd' ? 1 : 0];
  return Buffer.concat(
    ofPieces.flatMap((piece) =>
      Array.from({ length: rows * cols }, (_, i) => {
        const [row, col] = [Math.floor(i / cols), i % cols];
        const at = size * (col * rows * step + row * step + first);
        return piece.subarray(at, at + size);
      }),
    ),
  );
}

function mxfp4Rows({ dims, alternate }: TensorInfo, codes: Buffer, exponents: Buffer): Buffer {
  const blocks = dims[0]! / 32;
  const taken = alternate ? (alternate === 'even' ? 0 : 1) : undefined;
  const rows = Array.from({ length: exponents.length / blocks }, (_, row) => row);
  return Buffer.concat(
    rows
      .filter((row) => taken === undefined || row % 2 === taken)
      .flatMap((row) => Array.from({ length: blocks }, (_, block) => row * blocks + block))
      .map((block) => {
        const pairs = codes.subarray(16 * block, 16 * block + 16);
        const digits = [...pairs].flatMap((pair) => [pair & 15, pair >> 4]);
        const halves = digits.slice(0, 16).map((low, i) => low | (digits[16 + i]! << 4));
        return Buffer.from([exponents[block]!, ...halves]);
      }),
  );
}

/** Rows of a head 0, 1, ..., n-1 become 0, n/2, 1, n/2 + 1, ... */
function reorder(bytes: Buffer, dims: readonly number[], heads: number): Buffer {
  const rows = dims.length > 1 ? dims[1]! : dims[0]!;
  const [rowBytes, size] = [bytes.length / rows, rows / heads];
  return Buffer.concat(
    Array.from({ length: rows }, (_, row) => {
      const [head, i] = [Math.floor(row / size), row % size];
      const from = head * size + (i % 2) * (size / 2) + Math.floor(i / 2);
      return bytes.subarray(from * rowBytes, (from + 1) * rowBytes);
    }),
  );
}

function floats(values: Float64Array): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

function tensorOf(
  name: string,
  stored: GgmlType,
  dims: number[],
  bytes: Buffer,
  type: GgmlType | undefined,
  plus: number,
) {
  if (dims.length === 1 || name.endsWith('.bias')) {
    const values = dequantize(stored, bytes).map((value) => value + plus);
    return { name, type: 'F32' as const, dims, data: floats(values) };
  }
  const kept = name.includes('.ffn_gate_inp') || name.endsWith('.bias') || stored === 'MXFP4';
  if (type === undefined || kept || dims[0]! % GGML_TYPES[type].blockSize !== 0)
    return { name, type: stored, dims, data: bytes };
  return { name, type, dims, data: Buffer.from(quantize(type, dequantize(stored, bytes))) };
}

function statedAsGguf({ metadata, stated }: ReturnType<typeof readModel>, architecture: string) {
  const keys: [string, MetadataValue][] = [];
  const factors: TensorInput[] = [];
  const own = (key: string, value: MetadataValue) => keys.push([`${architecture}.${key}`, value]);
  for (const [key, entry] of metadata) {
    if (entry.type === 'array')
      keys.push([key, { type: 'array', of: 'bool', value: [...entry.elements()] as boolean[] }]);
    else if (typeof entry.value === 'string') keys.push([key, str(entry.value)]);
    else if (typeof entry.value === 'boolean') keys.push([key, { type: 'bool', value: entry.value }]);
    else keys.push([key, entry.type === 'float64' ? f32(Number(entry.value)) : u32(Number(entry.value))]);
  }
  const add = (name: string, list: readonly number[]) =>
    factors.push({ name, type: 'F32', dims: [list.length], data: floats(Float64Array.from(list)) });
  const { ropeFactors, attentionScale, windows, weightsOver } = stated!;
  if (ropeFactors?.long) {
    add('rope_factors_short.weight', ropeFactors.short);
    add('rope_factors_long.weight', ropeFactors.long.factors);
    own('rope.scaling.original_context_length', u32(ropeFactors.long.beyond));
  } else if (ropeFactors) add('rope_freqs.weight', ropeFactors.short);
  if (['glm4moe', 'dots1'].includes(architecture))
    own('expert_weights_norm', { type: 'bool', value: weightsOver === 'chosen' });
  if (architecture.startsWith('granite')) own('attention.scale', f32(attentionScale!));
  const window = windows.find((size) => size !== undefined);
  if (window && ['llama', 'phi3', 'gemma2'].includes(architecture)) own('attention.sliding_window', u32(window));
  return { keys, factors };
}
