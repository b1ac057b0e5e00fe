/** A seeded generator of random numbers: the same seed gives the same tests on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 random bits (the "splitmix32" finaliser over a Weyl sequence). */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** In [low, high). */
  uniform(low: number, high: number): number {
    return low + ((high - low) * this.bits()) / 2 ** 32;
  }

  /** In 0..count-1. */
  integer(count: number): number {
    return Math.floor(this.uniform(0, count));
  }

  /** Mean 0, standard deviation 1 (Box-Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform(0, 1))) * Math.cos(this.uniform(0, 2 * Math.PI));
  }
}
