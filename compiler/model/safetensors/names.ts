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
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
  'mlp.gate': 'ffn_gate_inp',
  'mlp.shared_expert.gate_proj': 'ffn_gate_shexp',
  'mlp.shared_expert.up_proj': 'ffn_up_shexp',
  'mlp.shared_expert.down_proj': 'ffn_down_shexp',
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

/** Rows of gate and up under one another, of each expert. */
const GATE_AND_UP: Readonly<Record<string, readonly [gate: string, up: string]>> = {
  'block_sparse_moe.input_linear': ['ffn_gate_exps', 'ffn_up_exps'],
  'shared_mlp.input_linear': ['ffn_gate_shexp', 'ffn_up_shexp'],
};

/** Where norms follow the halves of a layer, the name that elsewhere is the second half's norm is the first one's. */
const POST_NORMS: Readonly<Record<string, string>> = {
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};
const OWN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gemma2: POST_NORMS,
  gemma3: POST_NORMS,
  olmo2: POST_NORMS,
};

const MODEL: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
};

const PLACE = /^(?:model\.layers\.(\d{1,9})\.)?(.*)\.(weight|bias)$/;

const OF_EXPERT = /^(?:mlp|block_sparse_moe)\.experts\.(\d{1,9})\.(\w+)$/;

export interface GgufName {
  readonly name: string;
  /** The tensor is the part of this expert. */
  readonly expert?: number;
  /** The other half of its rows, of each expert, is this tensor. */
  readonly second?: string;
}

/** undefined for a name that no model of this architecture has. */
export function ggufName(architecture: string, name: string): GgufName | undefined {
  const [, layer, stem = '', kind] = PLACE.exec(name) ?? [];
  const full = (short: string) => `${layer === undefined ? '' : `blk.${Number(layer)}.`}${short}.${kind}`;
  const [, expert, part = ''] = (layer !== undefined && OF_EXPERT.exec(stem)) || [];
  if (expert !== undefined)
    return Object.hasOwn(EXPERT, part) ? { name: full(EXPERT[part]!), expert: Number(expert) } : undefined;
  const [gate, up] = layer !== undefined && Object.hasOwn(GATE_AND_UP, stem) ? GATE_AND_UP[stem]! : [];
  if (gate !== undefined) return { name: full(gate), second: full(up!) };
  const own = Object.hasOwn(OWN, architecture) ? OWN[architecture]! : {};
  const names = layer === undefined ? MODEL : { ...LAYER, ...own };
  return Object.hasOwn(names, stem) ? { name: full(names[stem]!) } : undefined;
}

/** Tensors that are computed again from config.json: rotary tables that old versions saved. */
export const isDerived = (name: string): boolean => /(^|\.)rotary_emb\.inv_freq$/.test(name);
