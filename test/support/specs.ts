/** ModelSpec values made by hand, small enough to evaluate: the reader of model files is tested elsewhere. */
import { GGML_TYPES, type GgmlType } from '../../compiler/model/ggml.js';
import type { LayerSpec, ModelSpec, RopeSpec, Weight } from '../../compiler/model/spec.js';

interface SpecShape {
  readonly layers: number;
  readonly embedding: number;
  readonly feedForward: number;
  readonly vocab: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** 0: the whole head turns. */
  readonly ropeDimensions: number;
  readonly ropeFactors: boolean;
  readonly pairing: RopeSpec['pairing'];
  readonly qkvBias: boolean;
  readonly queryNorm: boolean;
  readonly keyNorm: boolean;
  /** Biases of attn_output, ffn_gate, ffn_up and ffn_down. */
  readonly outputBiases: boolean;
  readonly tied: boolean;
  /** Of the matrices; vectors are F32. */
  readonly type: GgmlType;
}

export type SpecOptions = Partial<SpecShape>;

const DEFAULTS: SpecShape = {
  layers: 2,
  embedding: 12,
  feedForward: 10,
  vocab: 23,
  heads: 2,
  kvHeads: 1,
  headSize: 4,
  ropeDimensions: 0,
  ropeFactors: false,
  pairing: 'adjacent',
  qkvBias: false,
  queryNorm: false,
  keyNorm: false,
  outputBiases: false,
  tied: false,
  type: 'F32',
};

/** The families that the compiler knows, as options of makeSpec. */
export const FAMILIES: Readonly<Record<string, SpecOptions>> = {
  llama: { ropeFactors: true },
  mistral: { kvHeads: 2, headSize: 6, ropeDimensions: 4 },
  qwen2: { pairing: 'half', qkvBias: true, tied: true },
  qwen3: { pairing: 'half', queryNorm: true, keyNorm: true, headSize: 8, heads: 4, kvHeads: 2 },
  'every bias': { qkvBias: true, outputBiases: true, layers: 1 },
};

export function makeSpec(options: SpecOptions = {}): ModelSpec {
  const o = { ...DEFAULTS, ...options };
  const file = new TensorTable(o.type);
  const dimensions = o.ropeDimensions || o.headSize;
  const tokenEmbedding = file.matrix('token_embd', o.vocab, o.embedding);
  const rope: RopeSpec = {
    dimensions,
    base: 10_000,
    pairing: o.pairing,
    ...(o.ropeFactors && { factors: file.vector('rope_freqs.weight', dimensions / 2) }),
  };
  return {
    name: 'tiny',
    architecture: 'llama',
    tokenEmbedding,
    rope,
    layers: Array.from({ length: o.layers }, (_, layer) => makeLayer(file, `blk.${layer}`, o)),
    outputNorm: file.vector('output_norm.weight', o.embedding),
    output: o.tied ? tokenEmbedding : file.matrix('output', o.vocab, o.embedding),
    vocabSize: o.vocab,
    contextLength: 64,
    embeddingLength: o.embedding,
    feedForwardLength: o.feedForward,
    headCount: o.heads,
    headCountKv: o.kvHeads,
    headSize: o.headSize,
    rmsEpsilon: 1e-5,
    file: { path: 'tiny.gguf', bytes: file.bytes, headerBytes: 4096, headerSha256: '00'.repeat(32) },
  };
}

function makeLayer(file: TensorTable, prefix: string, o: SpecShape): LayerSpec {
  const { embedding, feedForward, headSize } = o;
  const qRows = o.heads * headSize;
  const kvRows = o.kvHeads * headSize;
  const matrix = (part: string, rows: number, cols: number) => file.matrix(`${prefix}.${part}`, rows, cols);
  const vector = (part: string, size: number) => file.vector(`${prefix}.${part}`, size);
  return {
    attnNorm: vector('attn_norm.weight', embedding),
    attnQ: matrix('attn_q', qRows, embedding),
    attnK: matrix('attn_k', kvRows, embedding),
    attnV: matrix('attn_v', kvRows, embedding),
    attnOutput: matrix('attn_output', embedding, qRows),
    ffnNorm: vector('ffn_norm.weight', embedding),
    ffnGate: matrix('ffn_gate', feedForward, embedding),
    ffnUp: matrix('ffn_up', feedForward, embedding),
    ffnDown: matrix('ffn_down', embedding, feedForward),
    ...(o.qkvBias && {
      attnQBias: vector('attn_q.bias', qRows),
      attnKBias: vector('attn_k.bias', kvRows),
      attnVBias: vector('attn_v.bias', kvRows),
    }),
    ...(o.queryNorm && { attnQNorm: vector('attn_q_norm.weight', headSize) }),
    ...(o.keyNorm && { attnKNorm: vector('attn_k_norm.weight', headSize) }),
    ...(o.outputBiases && {
      attnOutputBias: vector('attn_output.bias', embedding),
      ffnGateBias: vector('ffn_gate.bias', feedForward),
      ffnUpBias: vector('ffn_up.bias', feedForward),
      ffnDownBias: vector('ffn_down.bias', embedding),
    }),
  };
}

/** Hands out tensors one after the other, as a file would hold them. */
class TensorTable {
  bytes = 4096;

  constructor(private readonly matrixType: GgmlType) {}

  matrix(stem: string, rows: number, cols: number): Weight {
    return this.#add(`${stem}.weight`, this.matrixType, rows, cols);
  }

  vector(name: string, cols: number): Weight {
    return this.#add(name, 'F32', 1, cols);
  }

  #add(name: string, type: GgmlType, rows: number, cols: number): Weight {
    const { blockSize, blockBytes } = GGML_TYPES[type];
    const bytes = rows * Math.ceil(cols / blockSize) * blockBytes;
    const weight = { name, type, rows, cols, offset: this.bytes, bytes };
    this.bytes += Math.ceil(bytes / 32) * 32;
    return weight;
  }
}
