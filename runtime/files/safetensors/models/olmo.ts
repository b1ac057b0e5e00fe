/** OLMo 2 and 3, and OLMoE. */
import { only } from '../rules.js';
import { type ModelType, requireBase, SILU, UNTIED } from './model_type.js';
import { expertKeys, weightsOf } from './routing.js';
import { localLayers, windowKeys } from './windows.js';

const QK_NORMS = only('attention without norms of queries and keys', true);

export const olmo2: ModelType = {
  architecture: 'olmo2',
  activation: SILU,
  defaults: { ...UNTIED, rms_norm_eps: 1e-5, max_position_embeddings: 2048 },
  rules: { use_qk_norm: QK_NORMS, qk_norm: QK_NORMS },
};

const { rope_theta: _, ...WITHOUT_BASE } = olmo2.defaults;

export const olmo3: ModelType = {
  ...olmo2,
  localRope: true,
  windowed: true,
  defaults: { ...WITHOUT_BASE, sliding_window: 4096 },
  own: (config, context) => {
    requireBase(config, 'full_attention');
    const isLocal = localLayers(config, context, (layer) => (layer + 1) % 4 !== 0);
    return { isLocal, keys: windowKeys(config, context, isLocal) };
  },
};

export const olmoe: ModelType = {
  ...olmo2,
  architecture: 'olmoe',
  aliases: { num_local_experts: 'num_experts' },
  defaults: { ...olmo2.defaults, max_position_embeddings: 4096, num_experts: 64, num_experts_per_tok: 8 },
  own: (config) => ({ ...weightsOf(config), keys: expertKeys(config) }),
};
