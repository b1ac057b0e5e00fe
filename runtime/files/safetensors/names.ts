/** Names of tensors: transformers' to GGUF's. The only place that knows both. */

/** Of every architecture, without "model.layers.0." and "blk.0.", and without ".weight" and ".bias". */
const LAYER: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.qkv_proj': 'attn_qkv',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'self_attn.query_layernorm': 'attn_q_norm',
  'self_attn.key_layernorm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
  'mlp.gate': 'ffn_gate_inp',
  'mlp.gate.wg': 'ffn_gate_inp',
  'mlp.router': 'ffn_gate_inp',
  'mlp.shared_expert.gate_proj': 'ffn_gate_shexp',
  'mlp.shared_expert.up_proj': 'ffn_up_shexp',
  'mlp.shared_expert.down_proj': 'ffn_down_shexp',
  'mlp.shared_experts.gate_proj': 'ffn_gate_shexp',
  'mlp.shared_experts.up_proj': 'ffn_up_shexp',
  'mlp.shared_experts.down_proj': 'ffn_down_shexp',
  'mlp.shared_mlp.gate_proj': 'ffn_gate_shexp',
  'mlp.shared_mlp.up_proj': 'ffn_up_shexp',
  'mlp.shared_mlp.down_proj': 'ffn_down_shexp',
  'mlp.shared_expert_gate': 'ffn_gate_inp_shexp',
  'block_sparse_moe.gate': 'ffn_gate_inp',
  'block_sparse_moe.router.layer': 'ffn_gate_inp',
  'block_sparse_moe.output_linear': 'ffn_down_exps',
  'shared_mlp.output_linear': 'ffn_down_shexp',
};

/** Of one expert, without its number: one of the tensors that GGUF has as one. */
const EXPERT: Readonly<Record<string, string>> = {
  gate_proj: 'ffn_gate_exps',
  up_proj: 'ffn_up_exps',
  down_proj: 'ffn_down_exps',
  w1: 'ffn_gate_exps',
  w3: 'ffn_up_exps',
  w2: 'ffn_down_exps',
};

/** Rows of several tensors under one another, of each expert. */
const OF_EACH_EXPERT: Readonly<Record<string, readonly string[]>> = {
  'block_sparse_moe.input_linear': ['ffn_gate_exps', 'ffn_up_exps'],
  'shared_mlp.input_linear': ['ffn_gate_shexp', 'ffn_up_shexp'],
};
/** The same of each head. */
const OF_EACH_HEAD: Readonly<Record<string, readonly string[]>> = {
  'attention.query_key_value': ['attn_q', 'attn_k', 'attn_v'],
};

/** Where norms follow the halves of a layer, the name that elsewhere is the second half's norm is the first one's. */
const POST_NORMS: Readonly<Record<string, string>> = {
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};
/** The second half's norm, by the name of the first one's elsewhere. */
const SECOND_NORM = { post_attention_layernorm: 'post_attention_norm' } as const;
const OWN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gemma2: POST_NORMS,
  gemma3: POST_NORMS,
  olmo2: POST_NORMS,
  exaone4: POST_NORMS,
  glm4: { post_self_attn_layernorm: 'post_attention_norm', post_mlp_layernorm: 'post_ffw_norm' },
  phi2: { 'self_attn.dense': 'attn_output', 'mlp.fc1': 'ffn_up', 'mlp.fc2': 'ffn_down' },
  gptneox: { 'attention.dense': 'attn_output', 'mlp.dense_h_to_4h': 'ffn_up', 'mlp.dense_4h_to_h': 'ffn_down' },
  'gpt-oss': SECOND_NORM,
  seed_oss: SECOND_NORM,
  glm4moe: SECOND_NORM,
};

/** How a tensor of all experts is held: columns one after another, or as MXFP4 in two tensors. */
export type ExpertsForm = 'transposed' | 'codes' | 'exponents';

const GATE_UP = { name: 'ffn_gate_exps.weight', alternates: 'ffn_up_exps.weight' } as const;
const DOWN = { name: 'ffn_down_exps.weight' } as const;
const SELECTION = { name: 'exp_probs_b.bias' } as const;

/** By architecture, the tensors of a layer whose names do not end with ".weight" or ".bias". */
const BARE: Readonly<Record<string, Readonly<Record<string, GgufName>>>> = {
  'gpt-oss': {
    'self_attn.sinks': { name: 'attn_sinks.weight' },
    'mlp.experts.gate_up_proj': { ...GATE_UP, form: 'transposed' },
    'mlp.experts.gate_up_proj_blocks': { ...GATE_UP, form: 'codes' },
    'mlp.experts.gate_up_proj_scales': { ...GATE_UP, form: 'exponents' },
    'mlp.experts.gate_up_proj_bias': { name: 'ffn_gate_exps.bias', alternates: 'ffn_up_exps.bias' },
    'mlp.experts.down_proj': { ...DOWN, form: 'transposed' },
    'mlp.experts.down_proj_blocks': { ...DOWN, form: 'codes' },
    'mlp.experts.down_proj_scales': { ...DOWN, form: 'exponents' },
    'mlp.experts.down_proj_bias': { name: 'ffn_down_exps.bias' },
  },
  dots1: { 'mlp.gate.e_score_correction_bias': SELECTION },
  glm4moe: { 'mlp.gate.e_score_correction_bias': SELECTION },
  'ernie4_5-moe': { 'mlp.moe_statics.e_score_correction_bias': SELECTION },
  'minimax-m2': { 'block_sparse_moe.e_score_correction_bias': SELECTION },
};

const MODEL: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.embed_in': 'token_embd',
  'model.norm': 'output_norm',
  'model.final_layernorm': 'output_norm',
  'model.final_layer_norm': 'output_norm',
  lm_head: 'output',
  embed_out: 'output',
};

const LAYER_PLACE = /^model\.layers\.(\d{1,9})\.(.*)$/;
const PLACE = /^(?:model\.layers\.(\d{1,9})\.)?(.*)\.(weight|bias)$/;

const OF_EXPERT = /^(?:mlp|block_sparse_moe)\.experts\.(\d{1,9})\.(\w+)$/;

export interface GgufName {
  readonly name: string;
  /** The tensor is the part of this expert. */
  readonly expert?: number;
  /** Its rows belong in equal parts to it and these: of each expert, or of each head. */
  readonly beside?: readonly string[];
  readonly ofHeads?: true;
  /** Its rows alternate with those of this tensor. */
  readonly alternates?: string;
  readonly form?: ExpertsForm;
}

/** undefined for a name that no model of this architecture has. */
export function ggufName(architecture: string, saved: string): GgufName | undefined {
  const name = architecture === 'gptneox' ? saved.replace(/^gpt_neox\./, 'model.') : saved;
  return bareName(architecture, name) ?? usualName(architecture, name);
}

function bareName(architecture: string, name: string): GgufName | undefined {
  const [, layer, rest = ''] = LAYER_PLACE.exec(name) ?? [];
  const names = Object.hasOwn(BARE, architecture) ? BARE[architecture]! : {};
  if (layer === undefined || !Object.hasOwn(names, rest)) return undefined;
  const { alternates, ...found } = names[rest]!;
  const full = (short: string) => `blk.${Number(layer)}.${short}`;
  return { ...found, name: full(found.name), ...(alternates && { alternates: full(alternates) }) };
}

function usualName(architecture: string, name: string): GgufName | undefined {
  const [, layer, stem = '', kind] = PLACE.exec(name) ?? [];
  const full = (short: string) => `${layer === undefined ? '' : `blk.${Number(layer)}.`}${short}.${kind}`;
  const [, expert, part = ''] = (layer !== undefined && OF_EXPERT.exec(stem)) || [];
  if (expert !== undefined)
    return Object.hasOwn(EXPERT, part) ? { name: full(EXPERT[part]!), expert: Number(expert) } : undefined;
  for (const table of layer === undefined ? [] : [OF_EACH_EXPERT, OF_EACH_HEAD]) {
    if (!Object.hasOwn(table, stem)) continue;
    const [first, ...beside] = table[stem]!.map(full);
    return { name: first!, beside, ...(table === OF_EACH_HEAD && { ofHeads: true }) };
  }
  const own = Object.hasOwn(OWN, architecture) ? OWN[architecture]! : {};
  const names = layer === undefined ? MODEL : { ...LAYER, ...own };
  return Object.hasOwn(names, stem) ? { name: full(names[stem]!) } : undefined;
}

/** Tensors that are computed again from config.json: rotary tables that old versions saved. */
export const isDerived = (name: string): boolean => /(^|\.)rotary_emb\.inv_freq$/.test(name);
