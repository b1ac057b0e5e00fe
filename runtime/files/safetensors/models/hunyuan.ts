/** Hunyuan, dense and with experts. */
import { only, type Rules } from '../rules.js';
import { type ModelType, SILU, UNTIED } from './model_type.js';
import { alike } from './routing.js';

/** In the publisher's own files: tokens, and settings of parts that no such model has. */
const UNUSED = [
  ...['pad_id', 'sep_id', 'im_start_id', 'im_end_id', 'im_newline_id', 'text_start_id', 'text_end_id', 'mask_init_id'],
  ...['video_start_id', 'video_end_id', 'cla_share_factor', 'class_num', 'dense_list', 'pool_type', 'skip_cls_token'],
  ...['num_media_embeds', 'anyres_pooling_size', 'anyres_vit_max_image_size', 'anyres_vit_two_views'],
] as const;

const QK_NORMS = only('attention without norms of heads', true);

const RULES: Rules = {
  ...(Object.fromEntries(UNUSED.map((key) => [key, 'unused'])) as Rules),
  ...{ use_qk_norm: QK_NORMS, qk_norm: QK_NORMS },
  add_classification_head: only('classes in place of tokens', false),
  norm_type: only('other norms', 'rms'),
};

export const hunyuanDense: ModelType = {
  ...{ architecture: 'hunyuan-dense', activation: SILU, alphaRope: true, rules: RULES },
  defaults: { ...UNTIED, rms_norm_eps: 1e-5, max_position_embeddings: 2048 },
};

export const hunyuanMoe: ModelType = {
  ...hunyuanDense,
  architecture: 'hunyuan-moe',
  aliases: { num_local_experts: 'num_experts', num_experts_per_tok: 'moe_topk' },
  defaults: { ...hunyuanDense.defaults, num_experts: 1, moe_topk: 1 },
  rules: {
    ...RULES,
    use_mixed_mlp_moe: only('layers without a shared expert', true),
    moe_layer_num_skipped: only('dense layers beside those with experts', 0),
    norm_topk_prob: only('weights of experts that do not add up to 1', true),
    routed_scaling_factor: only('a scale of what experts give', 1, false),
    group_limited_greedy: only('experts in groups', false),
    moe_router_use_sigmoid: only('weights of experts by sigmoids', false),
    moe_router_enable_expert_bias: only('a bias of the choice of experts', false),
  },
  own: (config, context) => {
    const size = config.uint('intermediate_size');
    const width = alike(config, context, 'moe_intermediate_size') ?? size;
    if (width !== size)
      config.refuse('moe_intermediate_size', 'experts of another width', `must be intermediate_size, ${size}`);
    if ((alike(config, context, 'num_shared_expert') ?? 1) !== 1)
      config.refuse('num_shared_expert', 'another number of shared experts', 'must be 1');
    return {
      keys: {
        expert_count: config.require('num_experts', config.uint('num_experts')),
        expert_used_count: config.require('moe_topk', alike(config, context, 'moe_topk')),
      },
    };
  },
};
