/**
 * prefetch_stages: the projection two nodes after an attention fills all its pipeline stages before its wait, a stage when
 * an earlier one has come, where the node between holds all that it reads. Its blocks are there early then, and what they
 * ask for bit by bit is in nobody's way.
 *
 * Measured on an H100: llama-1b Q8_0 1886 -> 1986 tokens/s, Q4_K_M 2416 -> 2513; qwen2-0.5b, whose node between reads for less
 * than 0.5 us, 2807 -> 2768, so not there (`prefetchCycles`). In `l_out` as well: 1964 -> 1935 (docs/lab/2026-11-28-h100.md).
 */
import { type ProjectionConfig, projectionConfig } from '../kernels/projection/config.js';
import { projection as kernel } from '../kernels/projection/kernel.js';
import { mostBeside, type Target } from '../target/target.js';
import { aroundAttention, coResidentRoom, isCoResident } from './co_residency.js';
import { releasing } from './early_release.js';
import { isProjection, type Lowering, mapProjections, type Planning } from './lowering.js';
import { segmentsOf } from './prefetch_l2.js';
import { tunedConfig, tunedFor } from './tuning.js';

export function prefetchStages(lowering: Lowering, planning: Planning): Lowering {
  const { nodes } = lowering;
  const releases = releasing(lowering, planning);
  const around = aroundAttention(nodes.map(({ op }) => op));
  const afterAttention = nodes.filter(isProjection).filter(({ op }) => around.get(op) === 'after');
  const { holdsAll } = planning.target.projection.coResident ?? {};
  // The largest block that it may have to stand beside.
  const beside = Math.max(
    ...afterAttention.map(({ configs: [config] }) => sharedBeside(config, holdsAll?.leastShared ?? 0)),
  );
  return mapProjections(lowering, (config, { op }, index) => {
    const [beforeThat, before] = [nodes[index - 2], nodes[index - 1]];
    if (!isCoResident(config) || !isProjection(before) || beforeThat?.op.kind !== 'attend' || !releases(before))
      return config;
    if (cyclesOf(before.configs[0], planning.target) < tunedFor(config, planning).projection.prefetchCycles)
      return config;
    return tunedConfig(planning, (target) => {
      const room = coResidentRoom(target, around.get(op), mostBeside(target.sharedBytes, beside));
      const filled = projectionConfig(op, target, room);
      return { ...filled, prefetchStages: filled.stages };
    });
  });
}

const sharedBeside = (config: ProjectionConfig, leastShared: number): number =>
  kernel.launch({ ...config, leastShared }).sharedBytes;

/** For its blocks to read their weights. */
function cyclesOf(config: ProjectionConfig, { multiprocessors, projection }: Target): number {
  const bytes = segmentsOf(config).reduce((sum, { groups, groupBytes }) => sum + groups * groupBytes, 0);
  return bytes / multiprocessors / projection.cost.bytesPerCycle;
}
