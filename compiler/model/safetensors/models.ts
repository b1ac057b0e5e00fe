/** The model types of config.json that are compiled: what each of them says beyond what all say. */
import type { ConfigReader } from './config_reader.js';
import type { Json } from './json.js';

/** What is known of the model besides its own keys. */
interface Context {
  readonly layers: number;
  readonly headSize: number;
}

interface Own {
  /** GGUF's keys, without the architecture's prefix. */
  readonly keys?: Readonly<Record<string, number | boolean | readonly boolean[] | undefined>>;
  readonly attentionScale?: number | undefined;
  /** Where norm_topk_prob decides: Stated.weightsOver. */
  readonly weightsOver?: 'all' | 'chosen';
  /** Which layers have the window; absent: all, where there is one. */
  readonly isLocal?: (layer: number) => boolean;
}

export interface ModelType {
  /** The architecture with the same layers. */
  readonly architecture: string;
  /** What config.json means where it is silent. */
  readonly defaults: Readonly<Record<string, Json>>;
  readonly activation: 'silu' | 'gelu_pytorch_tanh';
  /** Layers with a window turn with a base of their own, and without rope scaling. */
  readonly localRope?: boolean;
  /** It knows partial_rotary_factor. */
  readonly partialRope?: boolean;
  /** It knows sliding_window. */
  readonly windowed?: boolean;
  /** The norm weights in the file lack the 1 that is added to them. */
  readonly normPlusOne?: boolean;
  /** Its experts may be MXFP4; the tensors tell. */
  readonly mxfp4?: boolean;
  readonly own?: (config: ConfigReader, context: Context) => Own;
}

const SILU = 'silu';
const GELU = 'gelu_pytorch_tanh';
const UNTIED = { tie_word_embeddings: false, rope_theta: 10000, rms_norm_eps: 1e-6 };
const TIED = { ...UNTIED, tie_word_embeddings: true };

/** Names of layers in layer_types, or what `otherwise` says where there is no such list. */
export function localLayers(config: ConfigReader, { layers }: Context, otherwise: (layer: number) => boolean) {
  const types = config.strings('layer_types');
  if (types === undefined) return otherwise;
  const other = types.find((type) => type !== 'full_attention' && type !== 'sliding_attention');
  if (types.length !== layers)
    config.fail('layer_types', `expected one of each of ${layers} layers, found ${types.length}`);
  if (other !== undefined) config.refuse('layer_types', `a layer of the type ${JSON.stringify(other)}`, 'is not known');
  return (layer: number) => types[layer] === 'sliding_attention';
}

/** Those of layer_types, where use_sliding_window says that there are any. */
function windowsInUse(config: ConfigReader, context: Context, otherwise: (layer: number) => boolean): Own {
  const isUsed = config.bool('use_sliding_window') ?? false;
  const isLocal = localLayers(config, context, (layer) => isUsed && otherwise(layer));
  // transformers' masks follow the one or the other, by the class and how attention is computed.
  if (!isUsed && everyLayer(context.layers, isLocal).includes(true))
    config.refuse(
      'use_sliding_window',
      'layers with a window that is not to be used',
      'must be true, or layer_types full_attention',
    );
  return { isLocal };
}

/** Qwen's: layers from max_window_layers on, if at all. */
function qwenWindows(config: ConfigReader, context: Context): Own {
  const from = config.uint('max_window_layers') ?? 28;
  return windowsInUse(config, context, (layer) => layer >= from);
}

/** Which layers have one where layer_types does not say, transformers' versions see differently. */
function qwen2moeWindows(config: ConfigReader, context: Context): Own {
  config.uint('max_window_layers');
  if (config.bool('use_sliding_window') && !config.has('layer_types'))
    config.refuse('use_sliding_window', 'windows without layer_types', 'must be false where layer_types is absent');
  return windowsInUse(config, context, () => false);
}

/** All layers or none; transformers before 5 had it from max_window_layers on. */
function qwen3moeWindows(config: ConfigReader): Own {
  const isUsed = config.bool('use_sliding_window') ?? false;
  config.get('layer_types');
  const from = config.uint('max_window_layers') ?? 0;
  if (isUsed && from > 0)
    config.refuse(
      'max_window_layers',
      'windows of some layers',
      'must be 0 or absent where use_sliding_window is true',
    );
  return { isLocal: () => isUsed };
}

/** Gemma's constant under the root, 1 / sqrt(it). */
function queryScale(config: ConfigReader): number {
  const scalar = config.number('query_pre_attn_scalar') ?? 256;
  if (!(scalar > 0)) config.fail('query_pre_attn_scalar', `expected a number above 0, found ${scalar}`);
  return 1 / Math.sqrt(scalar);
}

/** Whether the weights of those chosen add up to 1. */
const weightsOf = (config: ConfigReader): Pick<Own, 'weightsOver'> => ({
  weightsOver: config.bool('norm_topk_prob') ? 'chosen' : 'all',
});

/** How many experts, and that they are in every layer. */
function expertKeys(config: ConfigReader): NonNullable<Own['keys']> {
  config.get('norm_topk_prob'); // weightsOf()'s, and nobody's in models whose weights always add up to 1
  config.only('decoder_sparse_step', [1], 'dense layers beside those with experts');
  config.only('mlp_only_layers', [[]], 'dense layers beside those with experts');
  const count = config.uint('num_experts');
  return {
    expert_count: count ?? config.require('num_local_experts', config.uint('num_local_experts')),
    expert_used_count: config.require('num_experts_per_tok', config.uint('num_experts_per_tok')),
  };
}

const everyLayer = (layers: number, of: (layer: number) => boolean) => Array.from({ length: layers }, (_, i) => of(i));

const gemma: ModelType = {
  architecture: 'gemma',
  activation: GELU,
  defaults: { ...TIED, head_dim: 256 },
  normPlusOne: true,
  own: (config) => {
    config.only('attention_bias', [false], 'biases of attention');
    config.only('use_bidirectional_attention', [false], 'attention that is not causal');
    return {};
  },
};

const gemma3: ModelType = {
  ...gemma,
  architecture: 'gemma3',
  windowed: true,
  localRope: true,
  // The text parts of the published models leave out what is as in this class.
  defaults: {
    ...{ ...TIED, head_dim: 256, rope_theta: 1e6, sliding_window: 4096, vocab_size: 262208, hidden_size: 2304 },
    ...{ intermediate_size: 9216, num_hidden_layers: 26, num_attention_heads: 8, num_key_value_heads: 4 },
    max_position_embeddings: 131072,
  },
  own: (config, context) => {
    gemma.own!(config, context);
    config.only('attn_logit_softcapping', [], 'soft capping of attention');
    const period = config.uint('sliding_window_pattern') ?? config.uint('_sliding_window_pattern') ?? 6;
    config.get('_sliding_window_pattern');
    const isLocal = localLayers(config, context, (layer) => (layer + 1) % period !== 0);
    return {
      isLocal,
      attentionScale: queryScale(config),
      keys: {
        final_logit_softcapping: config.number('final_logit_softcapping'),
        'attention.sliding_window': config.uint('sliding_window'),
        'attention.sliding_window_pattern': everyLayer(context.layers, isLocal),
      },
    };
  },
};

const olmo2: ModelType = {
  architecture: 'olmo2',
  activation: SILU,
  defaults: { ...UNTIED, rms_norm_eps: 1e-5 },
  own: (config) => {
    config.only('attention_bias', [false], 'biases of attention');
    return {};
  },
};

/** By model_type. */
const MODEL_TYPES: Readonly<Record<string, ModelType>> = {
  llama: {
    architecture: 'llama',
    activation: SILU,
    defaults: UNTIED,
    own: (config) => {
      config.bool('attention_bias'); // the tensors tell
      config.bool('mlp_bias');
      return {};
    },
  },
  mistral: { architecture: 'llama', activation: SILU, windowed: true, defaults: { ...UNTIED, sliding_window: 4096 } },
  qwen2: {
    ...{ architecture: 'qwen2', activation: SILU, windowed: true, own: qwenWindows },
    defaults: { ...UNTIED, sliding_window: 4096 },
  },
  qwen3: {
    architecture: 'qwen3',
    windowed: true,
    activation: SILU,
    defaults: { ...UNTIED, head_dim: 128, sliding_window: 4096 },
    own: (config, context) => {
      config.only('attention_bias', [false], 'biases of attention');
      return qwenWindows(config, context);
    },
  },
  gemma,
  gemma2: {
    ...gemma,
    architecture: 'gemma2',
    windowed: true,
    defaults: {
      ...{ ...TIED, head_dim: 256, sliding_window: 4096 },
      ...{ attn_logit_softcapping: 50, final_logit_softcapping: 30 },
    },
    own: (config, context) => {
      gemma.own!(config, context);
      return {
        isLocal: localLayers(config, context, (layer) => layer % 2 === 0),
        attentionScale: queryScale(config),
        keys: {
          attn_logit_softcapping: config.number('attn_logit_softcapping') ?? 0,
          final_logit_softcapping: config.number('final_logit_softcapping') ?? 0,
        },
      };
    },
  },
  gemma3_text: gemma3,
  phi3: {
    architecture: 'phi3',
    partialRope: true,
    windowed: true,
    activation: SILU,
    defaults: { ...UNTIED, rms_norm_eps: 1e-5 },
    own: (config) => {
      config.uint('original_max_position_embeddings'); // longrope's
      config.only('attention_bias', [false], 'biases of attention');
      config.only('mlp_bias', [false], 'biases of the feed-forward');
      return {};
    },
  },
  granite: {
    architecture: 'granite',
    activation: SILU,
    defaults: UNTIED,
    own: (config) => {
      config.bool('attention_bias');
      config.bool('mlp_bias');
      return {
        attentionScale: config.number('attention_multiplier') ?? 1,
        keys: {
          embedding_scale: config.number('embedding_multiplier'),
          logit_scale: config.number('logits_scaling'),
          residual_scale: config.number('residual_multiplier'),
        },
      };
    },
  },
  olmo2,
  olmo3: {
    ...olmo2,
    localRope: true,
    windowed: true,
    defaults: { ...olmo2.defaults, sliding_window: 4096 },
    own: (config, context) => {
      olmo2.own!(config, context);
      const isLocal = localLayers(config, context, (layer) => (layer + 1) % 4 !== 0);
      return {
        isLocal,
        keys: {
          'attention.sliding_window': config.uint('sliding_window'),
          'attention.sliding_window_pattern': everyLayer(context.layers, isLocal),
        },
      };
    },
  },
  smollm3: {
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
  },
  stablelm: {
    architecture: 'stablelm',
    partialRope: true,
    activation: SILU,
    defaults: { ...UNTIED, partial_rotary_factor: 0.25, layer_norm_eps: 1e-5 },
    own: (config) => {
      config.bool('use_qkv_bias');
      config.only('qk_layernorm', [false], 'LayerNorm of query and key heads');
      config.only('use_parallel_residual', [false], 'a parallel residual');
      return { keys: { 'attention.layer_norm_epsilon': config.number('layer_norm_eps') } };
    },
  },
  starcoder2: {
    architecture: 'starcoder2',
    windowed: true,
    activation: GELU,
    defaults: { ...TIED, norm_epsilon: 1e-5 },
    own: (config) => {
      config.only('use_bias', [true], 'a model without biases');
      return { keys: { 'attention.layer_norm_epsilon': config.number('norm_epsilon') } };
    },
  },
};

const { granite, qwen2, qwen3 } = MODEL_TYPES as Record<string, ModelType>;

/** Those with experts, by model_type. */
const EXPERT_TYPES: Readonly<Record<string, ModelType>> = {
  mixtral: {
    ...{ architecture: 'llama', activation: SILU, windowed: true },
    defaults: { ...UNTIED, rms_norm_eps: 1e-5, rope_theta: 1e6, num_local_experts: 8, num_experts_per_tok: 2 },
    own: (config) => ({ keys: expertKeys(config) }),
  },
  qwen2_moe: {
    ...qwen2!,
    architecture: 'qwen2moe',
    own: (config, context) => {
      config.only('qkv_bias', [true], 'attention without biases');
      return {
        ...qwen2moeWindows(config, context),
        ...weightsOf(config),
        keys: {
          ...expertKeys(config),
          expert_feed_forward_length: config.uint('moe_intermediate_size'),
          expert_shared_feed_forward_length: config.uint('shared_expert_intermediate_size'),
        },
      };
    },
  },
  qwen3_moe: {
    ...qwen3!,
    architecture: 'qwen3moe',
    // Where it does not say head_dim, that is what heads share of the embedding.
    defaults: { ...UNTIED, sliding_window: 4096 },
    own: (config) => {
      config.only('attention_bias', [false], 'biases of attention');
      const keys = { ...expertKeys(config), expert_feed_forward_length: config.uint('moe_intermediate_size') };
      return { ...qwen3moeWindows(config), ...weightsOf(config), keys };
    },
  },
  olmoe: {
    ...{ architecture: 'olmoe', activation: SILU, defaults: { ...UNTIED, rms_norm_eps: 1e-5 } },
    own: (config) => {
      config.only('attention_bias', [false], 'biases of attention');
      config.only('clip_qkv', [], 'clamping of queries, keys and values');
      return { ...weightsOf(config), keys: expertKeys(config) };
    },
  },
  granitemoe: {
    ...granite!,
    architecture: 'granitemoe',
    own: (config, context) => {
      const own = granite!.own!(config, context);
      return { ...own, keys: { ...own.keys, ...expertKeys(config) } };
    },
  },
};

const gptOss: ModelType = {
  ...{ architecture: 'gpt-oss', activation: SILU, windowed: true, mxfp4: true },
  defaults: { ...UNTIED, ...{ rms_norm_eps: 1e-5, rope_theta: 150000, head_dim: 64, sliding_window: 128 } },
  own: (config, context) => {
    // Where both are absent, the class has a YaRN of its own.
    if (!config.has('rope_parameters')) config.require('rope_scaling', config.get('rope_scaling'));
    config.only('attention_bias', [true], 'attention without biases');
    config.only('swiglu_limit', [7], 'another limit of SwiGLU');
    config.only('swiglu_alpha', [1.702], 'another slope of SwiGLU');
    config.uint('initial_context_length'); // the authors' name of original_max_position_embeddings
    const keys = expertKeys(config);
    config.only('experts_per_token', [keys.expert_used_count!], 'two numbers of experts');
    const isLocal = localLayers(config, context, (layer) => layer % 2 === 0);
    return {
      isLocal,
      keys: {
        ...keys,
        'attention.sliding_window': config.uint('sliding_window'),
        'attention.sliding_window_pattern': everyLayer(context.layers, isLocal),
      },
    };
  },
};

const ALL_TYPES = new Map(Object.entries({ ...MODEL_TYPES, ...EXPERT_TYPES, gpt_oss: gptOss }));

export const modelType = (name: string): ModelType | undefined => ALL_TYPES.get(name);

export const MODEL_TYPE_NAMES: readonly string[] = [...ALL_TYPES.keys()];
