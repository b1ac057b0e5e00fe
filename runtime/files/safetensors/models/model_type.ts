/** What a model type of config.json says beyond what all say. */

import type { Json } from '../../json.js';
import type { ConfigReader } from '../config_reader.js';
import { only, type Rules } from '../rules.js';

/** What is known of the model besides its own keys. */
export interface Context {
  readonly layers: number;
  readonly headSize: number;
  readonly heads: number;
}

export interface Own {
  /** GGUF's keys, without the architecture's prefix. */
  readonly keys?: Readonly<Record<string, number | boolean | readonly boolean[] | undefined>>;
  readonly attentionScale?: number | undefined;
  /** Where norm_topk_prob decides: Stated.weightsOver. */
  readonly weightsOver?: 'all' | 'chosen';
  /** Which layers have the window; absent: all, where there is one. */
  readonly isLocal?: (layer: number) => boolean;
  /** Which layers have rope; absent: as the architecture says. */
  readonly hasRope?: (layer: number) => boolean;
  /** rope_theta and partial_rotary_factor where config.json says them by other names. */
  readonly rope?: { readonly base?: number | undefined; readonly partial?: number | undefined };
  /** Tensors that take no part in what is computed. */
  readonly isUnused?: (tensor: string) => boolean;
}

export interface ModelType {
  /** The architecture with the same layers. */
  readonly architecture: string;
  /** What config.json means where it is silent: transformers' class, but for what no file leaves out. */
  readonly defaults: Readonly<Record<string, Json>>;
  /** Keys that nothing is computed from. Others are read by config.ts and `own`, or are judged by shared_rules.ts. */
  readonly rules?: Rules;
  /** Other names that transformers takes for a key. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Which key has the epsilon of the norms: EPSILONS in config.ts. */
  readonly epsilon?: 'rms' | 'layer' | 'starcoder2' | 'nemotron';
  readonly activation: 'silu' | 'gelu_pytorch_tanh' | 'relu2';
  /** hidden_act gelu is known, too: the exact one. */
  readonly exactGelu?: boolean;
  /** Layers with a window have a rope base of their own, and no rope scaling. */
  readonly localRope?: boolean;
  /** Pairs of rope are neighbours; else halves. */
  readonly adjacentPairs?: boolean;
  /** It knows partial_rotary_factor. */
  readonly partialRope?: boolean;
  /** Of rope_type dynamic, alpha is of another base; no other dynamic one is known. */
  readonly alphaRope?: boolean;
  /** It knows sliding_window. */
  readonly windowed?: boolean;
  /** The norm weights in the file lack the 1 that is added to them. */
  readonly normPlusOne?: boolean;
  /** Its experts may be MXFP4; the tensors tell. */
  readonly mxfp4?: boolean;
  readonly own?: (config: ConfigReader, context: Context) => Own;
}

export const SILU = 'silu';
export const GELU = 'gelu_pytorch_tanh';
export const RELU_SQR = 'relu2';
export const UNTIED = { tie_word_embeddings: false, rope_theta: 10000, rms_norm_eps: 1e-6 };
export const TIED = { ...UNTIED, tie_word_embeddings: true };

/** Errors: ModelFileError for anything but a number above 0. */
export function positive(config: ConfigReader, key: string): number {
  const value = config.require(key, config.number(key));
  if (!(value > 0)) config.fail(key, `expected a number above 0, found ${value}`);
  return value;
}

/** Of models whose norms are LayerNorm. */
export const LAYER_NORM_RULES: Rules = {
  use_rmsnorm: only('other norms', false),
  use_rms_norm: only('other norms', false),
  norm_type: only('other norms', 'layer_norm', 'layernorm'),
};

/** Where config.json has no base, transformers 4 and 5 see different ones. */
export function requireBase(config: ConfigReader, kind?: 'full_attention'): void {
  if (config.has('rope_theta')) return;
  const all = config.require('rope_theta', config.object('rope_parameters'));
  const parameters = (kind && all.object(kind)) ?? all;
  parameters.require('rope_theta', parameters.number('rope_theta'));
}
