/** Random models of any shape: sound GGUF files whose activations behave like a trained model's. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';
import { f32, type GgufInput, type MetadataValue, str, type TensorInput, u32, writeGguf } from './gguf_writer.js';
import { type FloatType, randomTensor, writeFloat } from './quantize.js';
import { Random } from './random.js';

const MODELS = fileURLToPath(new URL('../../build/test/models', import.meta.url));

/** Matrices of a layer, by their name in the file. */
export const LAYER_MATRICES = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'] as const;

export type LayerMatrix = (typeof LAYER_MATRICES)[number];
export type Matrix = LayerMatrix | 'token_embd' | 'output';

export interface ModelOptions {
  /** Default llama. */
  readonly architecture?: 'llama' | 'qwen2' | 'qwen3';
  readonly embeddingLength: number;
  readonly layers: number;
  readonly headCount: number;
  /** Default headCount. */
  readonly headCountKv?: number;
  /** Default embeddingLength / headCount. */
  readonly headSize?: number;
  readonly feedForwardLength: number;
  readonly vocabSize: number;
  /** Default 512. */
  readonly contextLength?: number;
  /** Default 1e-5. */
  readonly rmsEpsilon?: number;
  /** Elements of a head that are rotated; default headSize. */
  readonly ropeDimensions?: number;
  /** Default 10000. */
  readonly ropeBase?: number;
  /** Adds rope_freqs.weight, for llama; default false. */
  readonly ropeFactors?: boolean;
  /** The output matrix is the embedding; default false. */
  readonly tied?: boolean;
  /** Which matrices have a bias; default q, k and v for qwen2 and none for the others. Only llama has a choice. */
  readonly biases?: readonly LayerMatrix[];
  /** One type for every matrix, or one for each; `layer` is -1 outside the layers. */
  readonly type: GgmlType | ((matrix: Matrix, layer: number) => GgmlType);
  /** What a matrix's elements are multiplied with; default 1. */
  readonly gains?: Partial<Record<Matrix, number>>;
  /** Of norms and biases; default F32. Head norms and rope factors are always F32. */
  readonly vectorType?: FloatType;
  /** Default 1. */
  readonly seed?: number;
  /** The file's name without .gguf; default "model". */
  readonly name?: string;
}

type Shape = Required<ModelOptions>;

/** Standard deviation of a matrix's output for an input of mean square 1. */
const GAIN: Record<Exclude<Matrix, 'token_embd'>, number> = {
  attn_q: 2,
  attn_k: 2,
  attn_v: 1.5,
  attn_output: 1.2,
  ffn_gate: 1.5,
  ffn_up: 1.5,
  ffn_down: 1.5,
  output: 2,
};

function withDefaults(options: ModelOptions): Shape {
  const architecture = options.architecture ?? 'llama';
  const headSize = options.headSize ?? options.embeddingLength / options.headCount;
  return {
    architecture,
    headCountKv: options.headCount,
    headSize,
    contextLength: 512,
    rmsEpsilon: 1e-5,
    ropeDimensions: headSize,
    ropeBase: 10000,
    ropeFactors: false,
    tied: false,
    biases: architecture === 'qwen2' ? ['attn_q', 'attn_k', 'attn_v'] : [],
    gains: {},
    vectorType: 'F32',
    seed: 1,
    name: 'model',
    ...options,
  };
}

function metadata(shape: Shape): GgufInput['metadata'] {
  const own: [string, MetadataValue][] = [
    ['context_length', u32(shape.contextLength)],
    ['embedding_length', u32(shape.embeddingLength)],
    ['block_count', u32(shape.layers)],
    ['feed_forward_length', u32(shape.feedForwardLength)],
    ['attention.head_count', u32(shape.headCount)],
    ['attention.head_count_kv', u32(shape.headCountKv)],
    ['attention.key_length', u32(shape.headSize)],
    ['attention.value_length', u32(shape.headSize)],
    ['attention.layer_norm_rms_epsilon', f32(shape.rmsEpsilon)],
    ['rope.dimension_count', u32(shape.ropeDimensions)],
    ['rope.freq_base', f32(shape.ropeBase)],
    ['vocab_size', u32(shape.vocabSize)],
  ];
  return [
    ['general.architecture', str(shape.architecture)],
    ['general.name', str(`random ${shape.name}`)],
    ...own.map(([key, value]) => [`${shape.architecture}.${key}`, value] as const),
    ['tokenizer.ggml.model', str('no_vocab')],
  ];
}

/** Draws the tensors of one model, in the order of the calls. */
class Tensors {
  readonly list: TensorInput[] = [];
  readonly #random: Random;

  constructor(readonly shape: Shape) {
    this.#random = new Random(shape.seed);
  }

  vector(name: string, type: FloatType, length: number, draw: (random: Random) => number): void {
    const { blockBytes } = GGML_TYPES[type];
    const data = Buffer.alloc(blockBytes * length);
    for (let i = 0; i < length; i++) writeFloat(data, i * blockBytes, type, draw(this.#random));
    this.list.push({ name, type, dims: [length], data });
  }

  norm(name: string, type: FloatType, length: number): void {
    this.vector(name, type, length, (random) => 1 + 0.2 * random.normal());
  }

  bias(name: string, type: FloatType, length: number): void {
    this.vector(name, type, length, (random) => 0.3 * random.normal());
  }

  matrix(name: string, matrix: Matrix, layer: number, rows: number, cols: number, unscaled: number): void {
    const std = unscaled * (this.shape.gains[matrix] ?? 1);
    const type = typeof this.shape.type === 'string' ? this.shape.type : this.shape.type(matrix, layer);
    this.list.push({ name, type, dims: [cols, rows], data: randomTensor(this.#random, type, rows * cols, std) });
  }
}

function layerShapes(shape: Shape): Record<LayerMatrix, readonly [rows: number, cols: number]> {
  const { embeddingLength: hidden, feedForwardLength: inner, headSize } = shape;
  const query = shape.headCount * headSize;
  const keyValue = shape.headCountKv * headSize;
  return {
    attn_q: [query, hidden],
    attn_k: [keyValue, hidden],
    attn_v: [keyValue, hidden],
    attn_output: [hidden, query],
    ffn_gate: [inner, hidden],
    ffn_up: [inner, hidden],
    ffn_down: [hidden, inner],
  };
}

function drawLayer(tensors: Tensors, layer: number): void {
  const { shape } = tensors;
  const shapes = layerShapes(shape);
  const prefix = `blk.${layer}`;
  tensors.norm(`${prefix}.attn_norm.weight`, shape.vectorType, shape.embeddingLength);
  for (const matrix of LAYER_MATRICES) {
    const [rows, cols] = shapes[matrix];
    tensors.matrix(`${prefix}.${matrix}.weight`, matrix, layer, rows, cols, GAIN[matrix] / Math.sqrt(cols));
    if (shape.biases.includes(matrix)) tensors.bias(`${prefix}.${matrix}.bias`, shape.vectorType, rows);
  }
  if (shape.architecture === 'qwen3') {
    tensors.norm(`${prefix}.attn_q_norm.weight`, 'F32', shape.headSize);
    tensors.norm(`${prefix}.attn_k_norm.weight`, 'F32', shape.headSize);
  }
  tensors.norm(`${prefix}.ffn_norm.weight`, shape.vectorType, shape.embeddingLength);
}

function drawModel(shape: Shape): TensorInput[] {
  const { embeddingLength: hidden, vocabSize } = shape;
  const tensors = new Tensors(shape);
  const outputStd = GAIN.output / Math.sqrt(hidden);
  tensors.matrix('token_embd.weight', 'token_embd', -1, vocabSize, hidden, shape.tied ? outputStd : 0.8);
  if (shape.ropeFactors) {
    tensors.vector('rope_freqs.weight', 'F32', shape.ropeDimensions / 2, (random) => random.uniform(1, 8));
  }
  for (let layer = 0; layer < shape.layers; layer++) drawLayer(tensors, layer);
  tensors.norm('output_norm.weight', shape.vectorType, hidden);
  if (!shape.tied) tensors.matrix('output.weight', 'output', -1, vocabSize, hidden, outputStd);
  return tensors.list;
}

/** What writeGguf makes the file of; the same options give the same. */
export function modelInput(options: ModelOptions): GgufInput {
  const shape = withDefaults(options);
  return { metadata: metadata(shape), tensors: drawModel(shape) };
}

/**
 * Writes the model under build/test/models, in a folder named by its content, and returns its path. Nothing has to be
 * removed: the same model is the same file, whichever test asks, and tests that run side by side may ask at once.
 */
export function makeModel(options: ModelOptions): string {
  const bytes = writeGguf(modelInput(options));
  const folder = join(MODELS, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  const path = join(folder, `${options.name ?? 'model'}.gguf`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  writeFileSync(unfinished, bytes);
  renameSync(unfinished, path);
  return path;
}
