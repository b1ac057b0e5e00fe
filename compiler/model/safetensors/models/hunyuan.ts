/** Hunyuan, dense and with experts. */
import type { ConfigReader } from '../config_reader.js';
import { type Context, type ModelType, type Own, SILU, UNTIED } from './model_type.js';
import { alike } from './routing.js';

/** In the publisher's own files: tokens, and parts that no such model has. */
const UNUSED = [
  ...['eod_token_id', 'pad_id', 'sep_id', 'im_start_id', 'im_end_id', 'im_newline_id', 'text_start_id', 'text_end_id'],
  ...['mask_init_id', 'org_vocab_size', 'cla_share_factor', 'class_num', 'dense_list', 'pool_type'],
];

function checkHunyuan(config: ConfigReader, { headSize }: Context): Own {
  config.only('attention_bias', [false], 'biases of attention');
  config.only('mlp_bias', [false], 'biases of the feed-forward');
  config.only('use_qk_norm', [true], 'attention without norms of heads');
  config.only('use_rotary_pos_emb', [true], 'position embeddings other than rope');
  config.only('add_classification_head', [false], 'classes in place of tokens');
  config.only('use_cla', [false], 'keys and values that layers share');
  config.only('norm_type', ['rms'], 'other norms');
  config.only('attention_head_dim', [headSize], 'two sizes of heads');
  for (const key of UNUSED) config.get(key);
  return {};
}

export const hunyuanDense: ModelType = {
  ...{ architecture: 'hunyuan-dense', activation: SILU, alphaRope: true },
  defaults: { ...UNTIED, rms_norm_eps: 1e-5 },
  own: checkHunyuan,
};

export const hunyuanMoe: ModelType = {
  ...hunyuanDense,
  architecture: 'hunyuan-moe',
  defaults: { ...hunyuanDense.defaults, num_experts: 1, moe_topk: 1 },
  own: (config, context) => {
    checkHunyuan(config, context);
    const size = config.uint('intermediate_size');
    const width = alike(config, context, 'moe_intermediate_size') ?? size;
    if (width !== size)
      config.refuse('moe_intermediate_size', 'experts of another width', `must be intermediate_size, ${size}`);
    if ((alike(config, context, 'num_shared_expert') ?? 1) !== 1)
      config.refuse('num_shared_expert', 'another number of shared experts', 'must be 1');
    config.only('use_mixed_mlp_moe', [true], 'layers without a shared expert');
    config.only('moe_layer_num_skipped', [0], 'dense layers beside those with experts');
    config.only('norm_topk_prob', [true], 'weights of experts that do not add up to 1');
    return {
      keys: {
        expert_count: config.require('num_experts', config.uint('num_experts')),
        expert_used_count: config.require('moe_topk', alike(config, context, 'moe_topk')),
      },
    };
  },
};
