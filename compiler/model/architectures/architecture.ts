/** What an architecture file says: which tensors a model of it has, and what its layers do with them. */
import type { HyperparameterRules, Hyperparameters } from '../hyperparameters.js';
import type { Keys } from '../keys.js';
import type { ExpertsSpec, LayerWeights, ModelSpec, RopeSpec } from '../spec.js';

/** A width that the hyperparameters give; `query` is head count * head size, `keyValue` the same of the KV heads. */
export type Size =
  | 'vocabulary'
  | 'embedding'
  | 'feedForward'
  | 'query'
  | 'keyValue'
  | 'head'
  | 'heads'
  | 'ropePairs'
  | 'experts'
  | 'expertFeedForward'
  | 'sharedFeedForward'
  | 'one';

export interface TensorRule {
  /** Without the "blk.0." of a layer. */
  readonly name: string;
  /** 1 for a vector. */
  readonly rows: Size | 1;
  readonly cols: Size;
  /** matrix: any supported type; vector: F32, F16 or BF16; f32: F32. */
  readonly kind: 'matrix' | 'vector' | 'f32';
  readonly optional: boolean;
  /** Of the tensors of a layer that say so, all are there or none. */
  readonly together?: true;
  /** The tensor has one more dimension, the experts: a matrix or vector of each, one after the other. */
  readonly ofExperts?: true;
  /** The tensor holds the rows (a vector: the elements) of several roles; `before` and `after` are the others'. */
  readonly part?: { readonly label: string; readonly before: readonly Size[]; readonly after: readonly Size[] };
  /** What stands for the tensor in files that do not have it. */
  readonly otherwise?: TensorRule;
}

export type LayerRules = { readonly [Role in keyof LayerWeights]: TensorRule };

/** What a layer does beyond its tensors. */
interface LayerFeatures {
  /** The newest positions that attention sees. */
  readonly window?: number | undefined;
  /** none: no rope. local: rope with this base, and without the file's rope scaling. Absent: as the file says. */
  readonly rope?: 'none' | { readonly base: number; readonly scaled: boolean } | undefined;
}

/** What the metadata adds to a model of this architecture; what is absent or undefined is not there. */
type Features = {
  readonly [Name in
    | 'attentionScale'
    | 'attentionSoftCap'
    | 'logitSoftCap'
    | 'embeddingScale'
    | 'residualScale'
    | 'logitScale'
    | 'normsAfterRope'
    | 'parallel']?: ModelSpec[Name] | undefined;
} & {
  /** Where it is not the architecture's. */
  readonly ropePairing?: RopeSpec['pairing'];
  readonly layer?: (index: number) => LayerFeatures;
};

/** The shared expert of layers that have experts, and how wide it is; where that is 0, there is none. */
export interface SharedRules {
  readonly layer: Partial<LayerRules>;
  /** `expert_shared_feed_forward_length` is its width. */
  readonly stated?: true;
  /** Its width where that is not stated, or 0. */
  readonly otherwise: 'feedForward' | 'expert' | 'none';
  /** That many times, `expert_shared_count`. */
  readonly counted?: true;
}

/** What models of an architecture do where metadata gives a number of experts. */
export interface ExpertRules {
  /** stated: the chosen ones' softmax where `expert_weights_norm` is true, else that of all. */
  readonly weightsOver: ExpertsSpec['weightsOver'] | 'stated';
  /** `expert_gating_func` says whether weights are sigmoids or softmax; sigmoid: where it does not, they are sigmoids. */
  readonly gating?: 'stated' | 'sigmoid';
  /** `expert_weights_scale` multiplies them. */
  readonly scaled?: true;
  /** `expert_group_count` and `expert_group_used_count` may say that experts are in groups. */
  readonly grouped?: true;
  /** Columns of an expert's down matrix where `expert_feed_forward_length` is absent. */
  readonly width: 'feedForward' | 'feedForward / used';
  /** The tensors of every layer. */
  readonly layer: LayerRules;
  /** Those of the first layers, as many as `leading_dense_block_count` says, which have no experts. */
  readonly dense?: LayerRules;
  /** After them only every n-th layer of all has experts, where `interleave_moe_layer_step` gives n. */
  readonly interleaved?: true;
  readonly shared?: SharedRules;
}

export interface Architecture extends HyperparameterRules {
  readonly ropePairing: RopeSpec['pairing'];
  /** Default silu. */
  readonly activation?: ModelSpec['activation'];
  /** "ffn_up.scale" and the like are multiplied with. As in llama.cpp they are read and left alone where this is absent. */
  readonly feedForwardScales?: true;
  /** Keys that `features` reads besides those that every model has. All others must be neutral: refusals.ts. */
  readonly keys?: readonly string[];
  /** `has`: whether the file has a tensor of this name. */
  readonly features?: (keys: Keys, h: Hyperparameters, has: (tensor: string) => boolean) => Features;
  readonly model: {
    readonly tokenEmbedding: TensorRule;
    readonly outputNorm: TensorRule;
    readonly outputNormBias?: TensorRule;
    /** Optional: absent, the token embedding is used. */
    readonly output: TensorRule;
    readonly outputBias?: TensorRule;
    readonly ropeFactors?: TensorRule;
    readonly ropeFactorsLong?: TensorRule;
    readonly ropeFactorsShort?: TensorRule;
  };
  /**
   * The tensors of every layer. A role of LayerWeights that is not named here must not be in the file. Absent: all models
   * of it have experts.
   */
  readonly layer?: LayerRules;
  /** Absent: no model of it has experts. */
  readonly experts?: ExpertRules;
}

/** output[rows] = matrix[rows][cols] * input[cols]. */
export function matrix(name: string, rows: Size | 1, cols: Size): TensorRule {
  return { name, rows, cols, kind: 'matrix', optional: false };
}

export function vector(name: string, size: Size): TensorRule {
  return { name, rows: 1, cols: size, kind: 'vector', optional: false };
}

export function f32Vector(name: string, size: Size): TensorRule {
  return { name, rows: 1, cols: size, kind: 'f32', optional: false };
}

export function optional(rule: TensorRule): TensorRule {
  return { ...rule, optional: true };
}

/** A matrix of each expert. */
export function expertMatrix(name: string, rows: Size, cols: Size): TensorRule {
  return { ...matrix(name, rows, cols), ofExperts: true };
}

export function expertVector(name: string, size: Size): TensorRule {
  return { ...vector(name, size), ofExperts: true };
}

/** A matrix whose rows belong to the roles `sizes`, in this order: one rule for each. */
export function stacked(name: string, sizes: Readonly<Record<string, Size>>, cols: Size): TensorRule[] {
  const order = Object.entries(sizes);
  return order.map(([label, rows], i) => {
    const others = (from: number, to?: number) => order.slice(from, to).map(([, size]) => size);
    return { ...matrix(name, rows, cols), part: { label, before: others(0, i), after: others(i + 1) } };
  });
}

/** What every decoder with gated feed-forward has. */
export const DECODER = {
  tokenEmbedding: matrix('token_embd.weight', 'vocabulary', 'embedding'),
  outputNorm: vector('output_norm.weight', 'embedding'),
  output: optional(matrix('output.weight', 'vocabulary', 'embedding')),
} as const;

/** Where the output must be there. */
export const UNTIED_DECODER = { ...DECODER, output: matrix('output.weight', 'vocabulary', 'embedding') } as const;

export const QKV_BIASES = {
  attnQBias: vector('attn_q.bias', 'query'),
  attnKBias: vector('attn_k.bias', 'keyValue'),
  attnVBias: vector('attn_v.bias', 'keyValue'),
} as const;

/** llama.cpp reads these three in every architecture. */
const OPTIONAL_QKV_BIASES = {
  attnQBias: optional(QKV_BIASES.attnQBias),
  attnKBias: optional(QKV_BIASES.attnKBias),
  attnVBias: optional(QKV_BIASES.attnVBias),
} as const;

const together = (rule: TensorRule): TensorRule => ({ ...optional(rule), together: true });

/** Of models that have all three, or in files that llama.cpp's tests write, none. */
export const USUAL_QKV_BIASES = {
  attnQBias: together(QKV_BIASES.attnQBias),
  attnKBias: together(QKV_BIASES.attnKBias),
  attnVBias: together(QKV_BIASES.attnVBias),
} as const;

/** The half of a layer before its feed-forward, and the norm between. */
const DECODER_ATTENTION = {
  ...OPTIONAL_QKV_BIASES,
  attnNorm: vector('attn_norm.weight', 'embedding'),
  attnQ: matrix('attn_q.weight', 'query', 'embedding'),
  attnK: matrix('attn_k.weight', 'keyValue', 'embedding'),
  attnV: matrix('attn_v.weight', 'keyValue', 'embedding'),
  attnOutput: matrix('attn_output.weight', 'embedding', 'query'),
  ffnNorm: vector('ffn_norm.weight', 'embedding'),
} as const;

export const DECODER_LAYER = {
  ...DECODER_ATTENTION,
  ffnGate: matrix('ffn_gate.weight', 'feedForward', 'embedding'),
  ffnUp: matrix('ffn_up.weight', 'feedForward', 'embedding'),
  ffnDown: matrix('ffn_down.weight', 'embedding', 'feedForward'),
} as const;

const { ffnGate: _, ...WITHOUT_GATE } = DECODER_LAYER;

/** A feed-forward of two matrices. */
export const UNGATED_LAYER = WITHOUT_GATE;

/** With a LayerNorm that has a bias, of the model and of a layer. */
export const LAYER_NORM_DECODER = { ...DECODER, outputNormBias: vector('output_norm.bias', 'embedding') } as const;
export const LAYER_NORM_BIASES = {
  attnNormBias: vector('attn_norm.bias', 'embedding'),
  ffnNormBias: vector('ffn_norm.bias', 'embedding'),
} as const;

export const EXPERTS_LAYER = {
  ...DECODER_ATTENTION,
  ffnRouter: matrix('ffn_gate_inp.weight', 'experts', 'embedding'),
  ffnGateExperts: expertMatrix('ffn_gate_exps.weight', 'expertFeedForward', 'embedding'),
  ffnUpExperts: expertMatrix('ffn_up_exps.weight', 'expertFeedForward', 'embedding'),
  ffnDownExperts: expertMatrix('ffn_down_exps.weight', 'embedding', 'expertFeedForward'),
} as const;

/** Of experts that may have no gate. */
export const OPTIONAL_EXPERTS_GATE = { ffnGateExperts: optional(EXPERTS_LAYER.ffnGateExperts) } as const;

/** Norms of each query and key head, before rope. */
export const HEAD_NORMS = {
  attnQNorm: f32Vector('attn_q_norm.weight', 'head'),
  attnKNorm: f32Vector('attn_k_norm.weight', 'head'),
} as const;

/** Gates of each element of what attention gives. */
export const ELEMENT_GATES = { attnGate: matrix('attn_gate.weight', 'query', 'embedding') } as const;

/** Gates of each head. */
export const HEAD_GATES = { attnGate: matrix('attn_gate.weight', 'heads', 'embedding') } as const;

/** What is added where experts are chosen. */
export const OPTIONAL_SELECTION = {
  ffnRouterSelection: optional(f32Vector('exp_probs_b.bias', 'experts')),
} as const;

export const SHARED_EXPERT = {
  ffnSharedGate: matrix('ffn_gate_shexp.weight', 'sharedFeedForward', 'embedding'),
  ffnSharedUp: matrix('ffn_up_shexp.weight', 'sharedFeedForward', 'embedding'),
  ffnSharedDown: matrix('ffn_down_shexp.weight', 'embedding', 'sharedFeedForward'),
} as const;

export const OPTIONAL_OUTPUT_BIAS = {
  attnOutputBias: optional(vector('attn_output.bias', 'embedding')),
} as const;

/** Biases of every matrix of a layer, where the file has them. */
export const OPTIONAL_BIASES = {
  ...OPTIONAL_OUTPUT_BIAS,
  ffnGateBias: optional(vector('ffn_gate.bias', 'feedForward')),
  ffnUpBias: optional(vector('ffn_up.bias', 'feedForward')),
  ffnDownBias: optional(vector('ffn_down.bias', 'embedding')),
} as const;

/** Norms of what attention and feed-forward give, before it is added to the hidden state. */
export const POST_NORMS = {
  attnPostNorm: vector('post_attention_norm.weight', 'embedding'),
  ffnPostNorm: vector('post_ffw_norm.weight', 'embedding'),
} as const;

export const ROPE_FACTORS = {
  ropeFactors: optional(f32Vector('rope_freqs.weight', 'ropePairs')),
} as const;

export const LONG_ROPE_FACTORS = {
  ropeFactorsLong: optional(f32Vector('rope_factors_long.weight', 'ropePairs')),
  ropeFactorsShort: optional(f32Vector('rope_factors_short.weight', 'ropePairs')),
} as const;
