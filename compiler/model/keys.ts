/** The metadata keys of one architecture, without its prefix, as an architecture file reads them. */
import { describe, type Metadata } from '../../runtime/files/metadata.js';

const AXES = 4;

/** Values are checked; errors: ModelFileError that names the key. Undefined stands for an absent key or a neutral 0. */
export class Keys {
  constructor(
    private readonly metadata: Metadata,
    private readonly architecture: string,
    /** What may be read: the rest is refusals.ts's to judge. */
    private readonly allowed: readonly string[],
  ) {}

  bool(key: string): boolean | undefined {
    return this.metadata.getBool(this.#name(key));
  }

  positiveUint(key: string): number | undefined {
    return this.metadata.getUint(this.#name(key)) || undefined;
  }

  /** `absent` is taken where there is no such key. */
  positiveFloat(key: string, absent?: number): number | undefined {
    const value = this.metadata.getFloat(this.#name(key));
    if (value === undefined) return absent;
    if (value === 0) return undefined;
    if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
    return this.metadata.fail(this.#name(key), `expected a finite number above 0, found ${value}`);
  }

  /** Which layers are local: all but every n-th, with n from the key or `period`; or a bool, 0 or 1 for each layer. */
  layerPattern(key: string, period: number, layers: number): (index: number) => boolean {
    const name = this.#name(key);
    const entry = this.metadata.get(name);
    if (entry?.type !== 'array') {
      const n = this.metadata.getUint(name) ?? period;
      return (index) => n === 0 || index % n < n - 1;
    }
    const flags = entry.length === layers ? Array.from(entry.elements(), Number) : [];
    if (flags.length !== layers || !flags.every((flag) => flag === 0 || flag === 1))
      this.metadata.fail(name, `expected a number or ${layers} bools, found ${describe(entry)}`);
    return (index) => flags[index] === 1;
  }

  /**
   * How many pairs are rotated by the positions on each of four axes, one axis after the other or interleaved. Those of a text are the
   * same but for the fourth, which llama.cpp keeps at 0, so none of the `pairs` may be rotated by that.
   */
  textAxes(key: string, pairs: number, order: 'sections' | 'interleaved'): void {
    const name = this.#name(key);
    const entry = this.metadata.get(name);
    const axes = this.axes(key);
    const [first = 0, second = 0, third = 0, fourth = 0] = axes;
    const rotated = order === 'sections' ? first + second + third : 3 * Math.min(first, second, third);
    if (axes.length === 0 || (rotated < pairs && (order === 'sections' || fourth > 0)))
      this.metadata.fail(
        name,
        `expected four numbers that leave none of ${pairs} pairs to the fourth axis, found ${entry ? describe(entry) : 'none'}`,
      );
  }

  /** How many pairs are rotated by each of four axes; a number stands for all four. Empty where the key is absent. */
  axes(key: string): number[] {
    const name = this.#name(key);
    const entry = this.metadata.get(name);
    if (entry === undefined) return [];
    if (entry.type !== 'array') return Array(AXES).fill(this.metadata.getUint(name));
    if (entry.length > AXES) this.metadata.fail(name, `expected at most ${AXES} numbers, found ${describe(entry)}`);
    return Array.from(entry.elements(), Number);
  }

  #name(key: string): string {
    if (!this.allowed.includes(key))
      throw new Error(`${this.architecture} reads ${key}, which its \`keys\` do not name`);
    return `${this.architecture}.${key}`;
  }
}
