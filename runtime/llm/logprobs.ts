/** Natural log probabilities from a step's logits. */

export class LogProbabilities {
  readonly #logTotal: number;

  /** logits: f32[vocabSize], finite or -Infinity. */
  constructor(private readonly logits: Float32Array) {
    let largest = Number.NEGATIVE_INFINITY;
    for (const logit of logits) if (logit > largest) largest = logit;
    let total = 0;
    for (const logit of logits) total += Math.exp(logit - largest);
    this.#logTotal = largest + Math.log(total);
  }

  of(token: number): number {
    return this.logits[token]! - this.#logTotal;
  }

  /** The most probable tokens, most probable first; of equals the smaller id. */
  top(count: number): number[] {
    const { logits } = this;
    const best: number[] = [];
    for (let token = 0; token < logits.length && count > 0; token++) {
      if (best.length === count && !(logits[token]! > logits[best[count - 1]!]!)) continue;
      let at = Math.min(best.length, count - 1);
      for (; at > 0 && logits[token]! > logits[best[at - 1]!]!; at--) best[at] = best[at - 1]!;
      best[at] = token;
    }
    return best;
  }
}
