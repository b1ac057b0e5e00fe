/** Llama, Mistral, Mixtral, and what differs from them in little: SmolLM 3, Seed-OSS, Arcee. */
import { only, TENSORS_TELL } from '../rules.js';
import { type ModelType, RELU_SQR, SILU, TIED, UNTIED } from './model_type.js';
import { expertKeys } from './routing.js';
import { everyLayer, windowsInUse } from './windows.js';

export const llama: ModelType = {
  architecture: 'llama',
  activation: SILU,
  defaults: { ...UNTIED, max_position_embeddings: 2048 },
  rules: { attention_bias: TENSORS_TELL, mlp_bias: TENSORS_TELL },
};

const MISTRAL = { num_key_value_heads: 8, max_position_embeddings: 131072 };

export const mistral: ModelType = {
  ...{ architecture: 'llama', activation: SILU, windowed: true },
  defaults: { ...UNTIED, ...MISTRAL, sliding_window: 4096 },
};

export const mixtral: ModelType = {
  ...{ architecture: 'llama', activation: SILU, windowed: true },
  aliases: { num_experts: 'num_local_experts' },
  defaults: {
    ...{ ...UNTIED, ...MISTRAL },
    ...{ rms_norm_eps: 1e-5, rope_theta: 1e6, num_local_experts: 8, num_experts_per_tok: 2 },
  },
  rules: { norm_topk_prob: 'unused' }, // weights always add up to 1
  own: (config) => ({ keys: expertKeys(config) }),
};

export const smollm3: ModelType = {
  architecture: 'smollm3',
  windowed: true,
  activation: SILU,
  defaults: { ...TIED, rope_theta: 2e6, num_key_value_heads: 4, max_position_embeddings: 32768 },
  rules: { attention_bias: TENSORS_TELL, mlp_bias: TENSORS_TELL },
  own: (config, context) => {
    const interval = config.uint('no_rope_layer_interval') ?? 4;
    const hasRope = everyLayer(context.layers, (layer) => (layer + 1) % 4 !== 0).map(Number);
    if (!config.has('no_rope_layers') && interval !== 4)
      config.refuse('no_rope_layer_interval', 'rope in other layers than three of four', 'must be 4');
    config.only('no_rope_layers', [hasRope, []], 'rope in other layers than three of four');
    return windowsInUse(config, context, (layer) => (layer + 1) % 4 === 0);
  },
};

export const seedOss: ModelType = {
  ...{ architecture: 'seed_oss', activation: SILU },
  defaults: { ...UNTIED, head_dim: 128, num_key_value_heads: 8, max_position_embeddings: 524288 },
  rules: {
    attention_bias: TENSORS_TELL,
    attention_out_bias: only('a bias of what attention gives', false),
  },
};

export const arcee: ModelType = {
  ...{ architecture: 'arcee', activation: RELU_SQR },
  defaults: { ...UNTIED, rms_norm_eps: 1e-5, max_position_embeddings: 4096 },
};
