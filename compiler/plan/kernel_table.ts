/** The distinct kernels of a plan: nodes whose kernels have the same compile-time shape share one. */
import { CompileError } from '../../runtime/common/errors.js';
import { type ProgramKind, programLabel } from '../ir/programs.js';
import { type KernelConfig, kernelFor, launchOf } from '../kernels/index.js';
import type { Launch } from '../kernels/kernel.js';
import type { Target } from '../target/target.js';
import type { PlannedKernel } from './plan.js';

export class KernelTable {
  readonly kernels: PlannedKernel[] = [];
  readonly #indices = new Map<string, number>();
  readonly #names = new Map<string, number>();

  constructor(private readonly target: Target) {}

  /**
   * Index of the kernel for a node of this name; "blk.3.ffn_inp" gives realizar_ffn_inp, or realizar_ffn_inp_2 for a second
   * shape, and of a program of many rows realizar_ffn_inp_batch_8.
   */
  index(node: string, config: KernelConfig, fields: readonly string[], program: ProgramKind): number {
    const key = JSON.stringify(config);
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const launch = launchOf(config);
    checkShared(node, launch, this.target);
    const base = `realizar_${node.replace(/^blk\.\d+\./, '').replace(/\W/g, '_')}`;
    const ofProgram = program.name === 'token' ? '' : `_${programLabel(program)}`;
    const count = (this.#names.get(base + ofProgram) ?? 0) + 1;
    this.#names.set(base + ofProgram, count);
    const symbol = `${base}${count === 1 ? '' : `_${count}`}${ofProgram}`;
    const tables = kernelFor(config).tables?.(config, symbol.replace(/^realizar_/, '')) ?? [];
    this.kernels.push({ symbol, config, fields, launch, tables });
    this.#indices.set(key, this.kernels.length - 1);
    return this.kernels.length - 1;
  }
}

/** Throws where a kernel needs more shared memory than the target has. */
export function checkShared(node: string, launch: Launch, target: Target): void {
  if (launch.sharedBytes <= target.sharedBytes) return;
  const where = target.kind === 'cuda' ? target.archs.join(', ') : 'the host target';
  throw new CompileError(
    `${node} needs ${launch.sharedBytes} bytes of shared memory a block, ${where} has ${target.sharedBytes}: ` +
      'the model is too wide for this GPU; compile for one with more shared memory',
  );
}
