/**
 * early_release: a co-resident projection whose stages hold all that its blocks read asks for all of it, and lets the next
 * node be scheduled, before its own wait. The next one's blocks then find room beside it, and its launch is over by the
 * time that it could begin.
 *
 * Others release after their wait: blocks that came earlier would take the registers and the bandwidth that this node's
 * own need. Measured on an H100, llama-1b Q8_0 with two blocks a multiprocessor, released at the start 558 us instead of
 * 548 (docs/lab/2026-11-22-first.md).
 */
import { holdsAll } from '../kernels/projection/config.js';
import { aroundAttention, isCoResident, mostToHoldAll } from './co_residency.js';
import { type Lowering, mapProjections, type Planning, type ProjectionNode } from './lowering.js';
import { tunedFor } from './tuning.js';

export function earlyRelease(lowering: Lowering, planning: Planning): Lowering {
  const releases = releasing(lowering, planning);
  return mapProjections(lowering, (config, node) => {
    if (!releases(node)) return config;
    const { leastShared } = tunedFor(config, planning).projection.coResident!.holdsAll;
    return { ...config, prefetchStages: config.stages, holdsAll: true, leastShared };
  });
}

/** Does a node hold all that it reads? */
export function releasing({ nodes }: Lowering, planning: Planning): (node: ProjectionNode) => boolean {
  const around = aroundAttention(nodes.map(({ op }) => op));
  return ({ op, configs: [config] }) =>
    isCoResident(config) && holdsAll(config, mostToHoldAll(tunedFor(config, planning), around.get(op)));
}
