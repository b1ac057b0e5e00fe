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

/** undefined for a name that no model of this architecture has. */
export function ggufName(architecture: string, name: string): string | undefined {
  const [, layer, stem = '', kind] = PLACE.exec(name) ?? [];
  const own = Object.hasOwn(OWN, architecture) ? OWN[architecture]! : {};
  const names = layer === undefined ? MODEL : { ...LAYER, ...own };
  if (!Object.hasOwn(names, stem)) return undefined;
  return `${layer === undefined ? '' : `blk.${Number(layer)}.`}${names[stem]}.${kind}`;
}

/** Tensors that are computed again from config.json: rotary tables that old versions saved. */
export const isDerived = (name: string): boolean => /(^|\.)rotary_emb\.inv_freq$/.test(name);
