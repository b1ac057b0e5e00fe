/** What a model type of config.json says beyond what all say. */
import type { ConfigReader } from '../config_reader.js';
import type { Json } from '../json.js';

/** What is known of the model besides its own keys. */
export interface Context {
  readonly layers: number;
  readonly headSize: number;
}

export interface Own {
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

export const SILU = 'silu';
export const GELU = 'gelu_pytorch_tanh';
export const UNTIED = { tie_word_embeddings: false, rope_theta: 10000, rms_norm_eps: 1e-6 };
export const TIED = { ...UNTIED, tie_word_embeddings: true };
