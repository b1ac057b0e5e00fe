/** The distinct kernels of a plan: nodes whose kernels have the same compile-time shape share one. */
import type { KernelConfig, Launch } from './kernels.js';
import type { PlannedKernel } from './plan.js';

export class KernelTable {
  readonly kernels: PlannedKernel[] = [];
  readonly #indices = new Map<string, number>();
  readonly #names = new Map<string, number>();

  /** Index of the kernel for a node of this name; "blk.3.ffn_inp" gives realizar_ffn_inp, or realizar_ffn_inp_2 for a second shape. */
  index(node: string, config: KernelConfig, launch: Launch): number {
    const key = JSON.stringify(config);
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const base = `realizar_${node.replace(/^blk\.\d+\./, '').replace(/\W/g, '_')}`;
    const count = (this.#names.get(base) ?? 0) + 1;
    this.#names.set(base, count);
    this.kernels.push({ symbol: count === 1 ? base : `${base}_${count}`, config, launch });
    this.#indices.set(key, this.kernels.length - 1);
    return this.kernels.length - 1;
  }
}
