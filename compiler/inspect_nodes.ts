/** The kernel sequence of a plan, for `inspect`. */
import type { Plan } from './plan/plan.js';

export interface InspectedNode {
  readonly name: string;
  readonly kernel: string;
  readonly blocks: number;
  readonly threads: number;
  readonly sharedBytes: number;
  readonly about: string;
}

export function inspectNodes({ programs, kernels }: Plan): InspectedNode[] {
  return programs[0].nodes.map(({ name, kernel, about }) => {
    const { symbol, launch } = kernels[kernel]!;
    const { blocks, threads, sharedBytes } = launch;
    return { name, kernel: symbol, blocks, threads, sharedBytes, about };
  });
}
