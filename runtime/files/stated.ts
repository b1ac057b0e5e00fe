/** What config.json states where a GGUF file leaves it to tensors of factors, or to what is known of the architecture. */

/** In place of rope_freqs.weight, or of the two tensors of longrope: one for each pair. */
export interface StatedFactors {
  readonly short: readonly number[];
  /** Taken in place of `short` where the planned context has more than `beyond` positions. */
  readonly long?: { readonly factors: readonly number[]; readonly beyond: number };
}

export interface Stated {
  /** Queries times keys are multiplied with it. */
  readonly attentionScale?: number;
  /** Of each layer, the newest positions that attention sees; undefined: all. */
  readonly windows: readonly (number | undefined)[];
  readonly ropeFactors?: StatedFactors;
  /** RopeSpec.pairing, where it is not halves. */
  readonly ropePairing?: 'adjacent';
  /** Of each layer, whether queries and keys have rope; absent: as the architecture says. */
  readonly hasRope?: readonly boolean[];
  /** ExpertsSpec.weightsOver */
  readonly weightsOver?: 'all' | 'chosen';
  /** In place of the architecture's. */
  readonly activation?: 'gelu_erf';
  /** Yarn.unrounded */
  readonly yarnUnrounded?: true;
}
