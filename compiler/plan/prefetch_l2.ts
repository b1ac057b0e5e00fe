/**
 * prefetch_l2: the projection after attention brings the first bytes of the next one's weights into L2, so that memory is
 * busy while the two nodes change places. Only where blocks are alone on their multiprocessors: co-resident ones ask early
 * enough without it. Not the one before attention, whose queries would queue behind it.
 *
 * Measured on an H100: llama-8b Q4_K_M 511 -> 516 tokens/s with 36 KiB a block; with `attn_qkv` doing it as well 514, with
 * 72 KiB no better (docs/lab/2026-11-28-h100.md).
 */
import type { L2Prefetch, ProjectionConfig } from '../kernels/projection/config.js';
import { strides } from '../kernels/tiling.js';
import { isCoResident } from './co_residency.js';
import { isProjection, type LoweredNode, type Lowering, type Planning, type ProjectionNode } from './lowering.js';

export function prefetchL2(lowering: Lowering, { target }: Planning): Lowering {
  const { nodes } = lowering;
  const bytes = target.projection.l2PrefetchBytes;
  const prefetching = nodes.map((node, index): LoweredNode => {
    const later = laterProjection(nodes, index);
    if (!isProjection(node) || !later || isCoResident(node.configs[0])) return node;
    const [{ blocks }] = later.configs;
    const l2Prefetch = { blocks, bytes, segments: segmentsOf(later.configs[0]) };
    return { ...node, configs: [{ ...node.configs[0], l2Prefetch }], prefetches: later.op };
  });
  return { ...lowering, nodes: prefetching };
}

/** Of a node after attention, the next projection, if no other node but a norm is between. */
function laterProjection(nodes: readonly LoweredNode[], index: number): ProjectionNode | undefined {
  if (nodes[index - 1]?.op.kind !== 'attend') return undefined;
  const later = nodes.slice(index + 1).find(({ op }) => op.kind !== 'norm_add');
  return isProjection(later) ? later : undefined;
}

export function segmentsOf(config: ProjectionConfig): L2Prefetch['segments'] {
  return config.segments.map(({ rows, formats }) => ({
    groups: Math.ceil(rows / config.groupRows),
    groupBytes: strides(formats, config.cols, config).groupStride,
  }));
}
