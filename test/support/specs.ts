/** ModelSpec values made by hand, small enough to evaluate: the reader of model files is tested elsewhere. */

import type { LayerWeights, ModelSpec, RopeSpec, Weight } from '../../compiler/model/spec.js';
import { GGML_TYPES, type GgmlType } from '../../runtime/files/ggml.js';

interface SpecShape {
  readonly layers: number;
  readonly embedding: number;
  readonly feedForward: number;
  readonly vocab: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** 0: the whole head is rotated. */
  readonly ropeDimensions: number;
  readonly ropeFactors: boolean;
  readonly pairing: RopeSpec['pairing'];
  readonly qkvBias: boolean;
  readonly queryNorm: boolean;
  readonly keyNorm: boolean;
  /** Biases of attn_output, ffn_gate, ffn_up and ffn_down. */
  readonly outputBiases: boolean;
  readonly tied: boolean;
  readonly norm: ModelSpec['norm'];
  readonly activation: ModelSpec['activation'];
  readonly preNorms: boolean;
  readonly postNorms: boolean;
  /** Norms of q and k are of all heads together. */
  readonly wholeNorms: boolean;
  readonly gate: boolean;
  /** Of every other layer; 0: of none. */
  readonly window: number;
  /** Every fourth layer has no rope. */
  readonly stillLayers: boolean;
  readonly scaling?: RopeSpec['scaling'];
  readonly sinks: boolean;
  /** Of attention's output. */
  readonly gates: 'none' | 'heads' | 'elements';
  /** Experts in place of the feed-forward; 0: none. */
  readonly experts: number;
  readonly used: number;
  readonly weightsOver: 'all' | 'chosen';
  readonly expertBiases: boolean;
  /** Experts are weighted by sigmoids, and something is added where they are chosen. */
  readonly sigmoid: boolean;
  /** Groups of experts, of which two are used; 0: none. */
  readonly expertGroups: number;
  readonly shared: 'none' | 'plain' | 'gated';
  readonly constants: Partial<
    Pick<
      ModelSpec,
      | 'normsAfterRope'
      | 'attentionScale'
      | 'attentionSoftCap'
      | 'logitSoftCap'
      | 'embeddingScale'
      | 'residualScale'
      | 'logitScale'
    >
  >;
  /** Of the matrices; vectors are F32. */
  readonly type: GgmlType;
}

export type SpecOptions = Partial<SpecShape>;

/** Nodes of a layer of experts: its router has one of its own where more than its logits chooses. */
export const expertNodes = ({ expertBiases, sigmoid, expertGroups, shared }: SpecOptions): string[] => {
  const own = expertBiases || sigmoid || expertGroups || shared === 'gated';
  const beside = shared === 'plain' || shared === 'gated' ? ['projection', 'projection'] : [];
  return [...(own ? ['projection'] : []), 'experts', ...beside, 'experts'];
};

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
  norm: 'rms',
  activation: 'silu',
  preNorms: true,
  postNorms: false,
  wholeNorms: false,
  gate: true,
  window: 0,
  stillLayers: false,
  sinks: false,
  gates: 'none',
  experts: 0,
  used: 2,
  weightsOver: 'chosen',
  expertBiases: false,
  sigmoid: false,
  expertGroups: 0,
  shared: 'none',
  constants: {},
  type: 'F32',
};

/** The families that the compiler knows, as options of makeSpec. */
export const FAMILIES: Readonly<Record<string, SpecOptions>> = {
  llama: { ropeFactors: true },
  mistral: { kvHeads: 2, headSize: 6, ropeDimensions: 4 },
  qwen2: { pairing: 'half', qkvBias: true, tied: true },
  qwen3: { pairing: 'half', queryNorm: true, keyNorm: true, headSize: 8, heads: 4, kvHeads: 2 },
  gemma2: {
    ...{ pairing: 'half', activation: 'gelu', postNorms: true, window: 3, tied: true },
    constants: { embeddingScale: 3.5, attentionScale: 0.3, attentionSoftCap: 5, logitSoftCap: 3 },
  },
  granite: { constants: { embeddingScale: 12, residualScale: 0.22, logitScale: 0.125, attentionScale: 0.1 } },
  olmo2: { ...{ pairing: 'half', preNorms: false, postNorms: true, queryNorm: true, keyNorm: true, wholeNorms: true } },
  smollm3: { layers: 4, stillLayers: true },
  starcoder2: { ...{ pairing: 'half', norm: 'layer', activation: 'gelu', gate: false, qkvBias: true } },
  yarn: {
    scaling: { scale: 1 / 4, magnitude: 1.1, yarn: { originalContext: 16, betaFast: 2, betaSlow: 0.5 } },
  },
  mixtral: { experts: 4 },
  qwen2moe: { ...{ pairing: 'half', qkvBias: true, experts: 5, used: 3, weightsOver: 'all', shared: 'gated' } },
  granitemoe: { experts: 3, shared: 'plain', constants: { residualScale: 0.22 } },
  dots1: { ...{ pairing: 'half', queryNorm: true, keyNorm: true, experts: 5, shared: 'plain', sigmoid: true } },
  bailingmoe2: { ...{ pairing: 'half', experts: 12, used: 5, expertGroups: 4, weightsOver: 'all', sigmoid: true } },
  'gpt-oss': {
    ...{ pairing: 'half', qkvBias: true, activation: 'swiglu_oai', sinks: true, window: 2 },
    ...{ experts: 6, expertBiases: true },
  },
  'hunyuan-dense': { ...{ pairing: 'half', queryNorm: true, keyNorm: true }, constants: { normsAfterRope: true } },
  afmoe: {
    ...{ pairing: 'half', queryNorm: true, keyNorm: true, gates: 'elements', postNorms: true, window: 3 },
    ...{ experts: 5, used: 3, sigmoid: true, shared: 'plain', constants: { embeddingScale: 3.5 } },
  },
  spark2_5: { pairing: 'half', activation: 'gelu', gates: 'heads', window: 3, heads: 4, kvHeads: 2 },
  'every bias': { qkvBias: true, outputBiases: true, layers: 1 },
};

const SIGMOID = { gating: 'sigmoid', scale: 1.7 } as const;

export function makeSpec(options: SpecOptions = {}): ModelSpec {
  const o = { ...DEFAULTS, ...options };
  const file = new TensorTable(o.type);
  const dimensions = o.ropeDimensions || o.headSize;
  const tokenEmbedding = file.matrix('token_embd', o.vocab, o.embedding);
  const scaling = o.scaling && { scaling: o.scaling };
  const rope: RopeSpec = {
    dimensions,
    base: 10_000,
    pairing: o.pairing,
    ...scaling,
    ...(o.ropeFactors && { factors: file.vector('rope_freqs.weight', dimensions / 2) }),
  };
  return {
    name: 'tiny',
    architecture: 'llama',
    tokenEmbedding,
    layers: Array.from({ length: o.layers }, (_, layer) => ({
      ...makeLayer(file, `blk.${layer}`, o),
      ...(!(o.stillLayers && layer % 4 === 3) && { rope }),
      ...(o.window > 0 && layer % 2 === 0 && { window: o.window }),
    })),
    norm: o.norm,
    activation: o.activation,
    attentionScale: 1 / Math.sqrt(o.headSize),
    ...o.constants,
    ...(o.experts > 0 && {
      experts: {
        ...{ count: o.experts, used: o.used, weightsOver: o.weightsOver, ...(o.sigmoid && SIGMOID) },
        ...(o.expertGroups > 0 && { groups: { count: o.expertGroups, used: 2 } }),
      },
    }),
    ...(o.norm === 'layer' && { outputNormBias: file.vector('output_norm.bias', o.embedding) }),
    outputNorm: file.vector('output_norm.weight', o.embedding),
    output: o.tied ? tokenEmbedding : file.matrix('output', o.vocab, o.embedding),
    vocabSize: o.vocab,
    contextLength: 64,
    embeddingLength: o.embedding,
    feedForwardLength: o.feedForward,
    headCount: o.heads,
    headCountKv: o.kvHeads,
    headSize: o.headSize,
    normEpsilon: 1e-5,
    file: {
      path: 'tiny.gguf',
      bytes: file.bytes,
      parts: [{ bytes: file.bytes, headerBytes: 4096 }],
      headerBytes: 4096,
      headerSha256: '00'.repeat(32),
    },
  };
}

function makeLayer(file: TensorTable, prefix: string, o: SpecShape): LayerWeights {
  const { embedding, headSize } = o;
  const qRows = o.heads * headSize;
  const kvRows = o.kvHeads * headSize;
  const matrix = (part: string, rows: number, cols: number) => file.matrix(`${prefix}.${part}`, rows, cols);
  const vector = (part: string, size: number) => file.vector(`${prefix}.${part}`, size);
  return {
    ...(o.preNorms && {
      attnNorm: vector('attn_norm.weight', embedding),
      ffnNorm: vector('ffn_norm.weight', embedding),
    }),
    ...(o.norm === 'layer' && {
      attnNormBias: vector('attn_norm.bias', embedding),
      ffnNormBias: vector('ffn_norm.bias', embedding),
    }),
    ...(o.postNorms && {
      attnPostNorm: vector('post_attention_norm.weight', embedding),
      ffnPostNorm: vector('post_ffw_norm.weight', embedding),
    }),
    ...(o.experts > 0 ? expertLayer(matrix, vector, o) : denseLayer(matrix, vector, o)),
    ...(o.sinks && { attnSinks: vector('attn_sinks.weight', o.heads) }),
    ...(o.gates !== 'none' && { attnGate: matrix('attn_gate', o.gates === 'heads' ? o.heads : qRows, embedding) }),
    attnQ: matrix('attn_q', qRows, embedding),
    attnK: matrix('attn_k', kvRows, embedding),
    attnV: matrix('attn_v', kvRows, embedding),
    attnOutput: matrix('attn_output', embedding, qRows),
    ...(o.qkvBias && {
      attnQBias: vector('attn_q.bias', qRows),
      attnKBias: vector('attn_k.bias', kvRows),
      attnVBias: vector('attn_v.bias', kvRows),
    }),
    ...(o.queryNorm && { attnQNorm: vector('attn_q_norm.weight', o.wholeNorms ? qRows : headSize) }),
    ...(o.keyNorm && { attnKNorm: vector('attn_k_norm.weight', o.wholeNorms ? kvRows : headSize) }),
    ...(o.outputBiases && { attnOutputBias: vector('attn_output.bias', embedding) }),
  };
}

type MatrixOf = (part: string, rows: number, cols: number) => Weight;
type VectorOf = (part: string, size: number) => Weight;

function denseLayer(matrix: MatrixOf, vector: VectorOf, { embedding, feedForward, ...o }: SpecShape) {
  return {
    ...(o.gate && { ffnGate: matrix('ffn_gate', feedForward, embedding) }),
    ffnUp: matrix('ffn_up', feedForward, embedding),
    ffnDown: matrix('ffn_down', embedding, feedForward),
    ...(o.outputBiases && {
      ffnGateBias: vector('ffn_gate.bias', feedForward),
      ffnUpBias: vector('ffn_up.bias', feedForward),
      ffnDownBias: vector('ffn_down.bias', embedding),
    }),
  };
}

function expertLayer(matrix: MatrixOf, vector: VectorOf, { embedding, feedForward, experts, ...o }: SpecShape) {
  return {
    ffnRouter: matrix('ffn_gate_inp', experts, embedding),
    ffnGateExperts: matrix('ffn_gate_exps', experts * feedForward, embedding),
    ffnUpExperts: matrix('ffn_up_exps', experts * feedForward, embedding),
    ffnDownExperts: matrix('ffn_down_exps', experts * embedding, feedForward),
    ...(o.expertBiases && {
      ffnRouterBias: vector('ffn_gate_inp.bias', experts),
      ffnGateExpertsBias: vector('ffn_gate_exps.bias', experts * feedForward),
      ffnUpExpertsBias: vector('ffn_up_exps.bias', experts * feedForward),
      ffnDownExpertsBias: vector('ffn_down_exps.bias', experts * embedding),
    }),
    ...(o.sigmoid && { ffnRouterSelection: vector('exp_probs_b.bias', experts) }),
    ...(o.shared !== 'none' && {
      ffnSharedGate: matrix('ffn_gate_shexp', feedForward, embedding),
      ffnSharedUp: matrix('ffn_up_shexp', feedForward, embedding),
      ffnSharedDown: matrix('ffn_down_shexp', embedding, feedForward),
    }),
    ...(o.shared === 'gated' && { ffnSharedRouter: matrix('ffn_gate_inp_shexp', 1, embedding) }),
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
