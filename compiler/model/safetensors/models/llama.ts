/** Llama, Mistral, Mixtral, and what differs from them in little: SmolLM 3, Seed-OSS, Arcee. */
import { type ModelType, RELU_SQR, SILU, TIED, UNTIED } from './model_type.js';
import { expertKeys } from './routing.js';
import { everyLayer, windowsInUse } from './windows.js';

export const llama: ModelType = {
  architecture: 'llama',
  activation: SILU,
  defaults: UNTIED,
  own: (config) => {
    config.bool('attention_bias'); // the tensors tell
    config.bool('mlp_bias');
    return {};
  },
};

export const mistral: ModelType = {
  ...{ architecture: 'llama', activation: SILU, windowed: true },
  defaults: { ...UNTIED, sliding_window: 4096 },
};

export const mixtral: ModelType = {
  ...{ architecture: 'llama', activation: SILU, windowed: true },
  defaults: { ...UNTIED, rms_norm_eps: 1e-5, rope_theta: 1e6, num_local_experts: 8, num_experts_per_tok: 2 },
  own: (config) => ({ keys: expertKeys(config) }),
};

export const smollm3: ModelType = {
  architecture: 'smollm3',
  windowed: true,
  activation: SILU,
  defaults: { ...TIED, rope_theta: 2e6 },
  own: (config, context) => {
    const interval = config.uint('no_rope_layer_interval') ?? 4;
    const turns = everyLayer(context.layers, (layer) => (layer + 1) % 4 !== 0).map(Number);
    if (!config.has('no_rope_layers') && interval !== 4)
      config.refuse('no_rope_layer_interval', 'rope in other layers than three of four', 'must be 4');
    config.only('no_rope_layers', [turns, []], 'rope in other layers than three of four');
    config.bool('attention_bias');
    config.bool('mlp_bias');
    return windowsInUse(config, context, (layer) => (layer + 1) % 4 === 0);
  },
};

export const seedOss: ModelType = {
  ...{ architecture: 'seed_oss', activation: SILU, defaults: { ...UNTIED, head_dim: 128 } },
  own: (config) => {
    config.bool('attention_bias');
    config.only('attention_out_bias', [false], 'a bias of what attention gives');
    config.only('mlp_bias', [false], 'biases of the feed-forward');
    return {};
  },
};

export const arcee: ModelType = {
  ...{ architecture: 'arcee', activation: RELU_SQR, defaults: { ...UNTIED, rms_norm_eps: 1e-5 } },
  own: (config) => {
    config.only('attention_bias', [false], 'biases of attention');
    config.only('mlp_bias', [false], 'biases of the feed-forward');
    return {};
  },
};
