/** A program's nodes with their kernels, before memory is laid out: what passes over nodes (node_passes.ts) take and give. */

import type { ProgramKind } from '../ir/programs.js';
import type { FusedOp, KernelConfig } from '../kernels/index.js';
import type { ProjectionConfig } from '../kernels/projection/config.js';
import type { Projection } from '../kernels/projection/operation.js';
import type { Target } from '../target/target.js';
import type { Caches } from './caches.js';
import type { TargetOf } from './tuning.js';
import type { WeightPlanner } from './weights.js';

/** A fused operation with its kernel. */
export interface LoweredNode {
  readonly op: FusedOp;
  readonly name: string;
  /** One for any context; or one for each bucket of its length. Empty until the nodes that it depends on have theirs. */
  readonly configs: readonly KernelConfig[];
  /** The later operation whose weights it brings into L2. */
  readonly prefetches?: FusedOp;
}

export interface Lowering {
  readonly nodes: readonly LoweredNode[];
  /** The longest context of each bucket but the last, which goes to the end of the context; ascending. */
  readonly limits: readonly number[];
}

/** What nodes are lowered for. */
export interface Planning {
  readonly target: Target;
  /** The target for a kernel's shape. */
  readonly targetOf: TargetOf;
  readonly program: ProgramKind;
  readonly contextLength: number;
  readonly vocabSize: number;
  readonly caches: Caches;
  /** From a slot to the next. */
  readonly slotBytes: number;
  /** What programs lay out and share: the first one decides, which is the token program. */
  readonly weights: WeightPlanner;
}

/** Keeps what each node computes. */
export interface NodePass {
  readonly name: string;
  readonly run: (lowering: Lowering, planning: Planning) => Lowering;
}

/** The kernel of a node for any context. */
export const configOf = ({ configs }: LoweredNode): KernelConfig | undefined => configs.at(-1);

export type ProjectionNode = LoweredNode & { readonly op: Projection; readonly configs: readonly [ProjectionConfig] };

export const isProjection = (node: LoweredNode | undefined): node is ProjectionNode => node?.op.kind === 'projection';

/** With other kernels for projections. */
export function mapProjections(
  lowering: Lowering,
  change: (config: ProjectionConfig, node: ProjectionNode, index: number) => ProjectionConfig,
): Lowering {
  const nodes = lowering.nodes.map((node, index) =>
    isProjection(node) ? { ...node, configs: [change(node.configs[0], node, index)] } : node,
  );
  return { ...lowering, nodes };
}
